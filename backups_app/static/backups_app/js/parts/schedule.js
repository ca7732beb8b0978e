/** The schedules in words, with their next runs in local time, and the way to pause them. */

import { pause, resume } from "../actions.js";
import { language, withNodes } from "../catalog.js";
import { moment, weekday, when } from "../format.js";
import { may } from "../may.js";
import { state } from "../state.js";
import { schedule as texts } from "../texts/setup.js";
import { html } from "../view.js";

const list = (parts) => new Intl.ListFormat(language).format(parts.map(String));

export function schedule({ schedules, timezone }) {
  return html`<section class="sub" aria-labelledby="schedule-title">
    <h3 id="schedule-title">${texts.title}</h3>
    ${schedules.map((one) => said(one, timezone))} ${pausing()}
  </section>`;
}

function said({ kind, on, line, shape, next }, zone) {
  if (!on) return html`<p><strong>${texts.kinds[kind]}</strong>: ${texts.off}</p>`;
  return html`<p><strong>${texts.kinds[kind]}</strong>: ${inWords(shape, line)} ${texts.zone(zone)}.</p>
    ${kind === "backup" &&
    html`<p>${texts.next}</p>
      <ol class="next">
        ${next.map((at) => html`<li key=${at}>${when(at, moment(at))}</li>`)}
      </ol>`}`;
}

/** Exported for the test of the words. */
export function inWords(shape, line) {
  const times = list(shape.times);
  const said = {
    minutes: () => texts.minutes(shape.step),
    hour: () => texts.hour(shape.minute),
    day: () => texts.day(times),
    week: () => texts.week(list(shape.days.map(weekday)), times),
    month: () => texts.month(list(shape.days), times),
  }[shape.every];
  return said ? said() : withNodes(texts.line("{line}"), { line: html`<code>${line}</code>` });
}

/** Only where the service knows of pauses, and there is something to pause. */
function pausing() {
  const { status } = state;
  if (status?.paused === undefined || !status.enabled || !may("start_job")) return null;
  const [text, act] = status.paused ? [texts.resume, resume] : [texts.pause, pause];
  const until = status.paused?.until;
  return html`<p>
    ${until && html`<span>${when(until, texts.until(moment(until)))} </span>`}
    <button type="button" class="small" disabled=${state.sending !== null} onclick=${act}>
      ${text}
    </button>
  </p>`;
}
