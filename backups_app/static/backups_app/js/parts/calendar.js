/** The calendar of the last 90 days: missed runs are as visible as failed ones. */

import { late, wanted } from "../late.js";
import { shortDay } from "../format.js";
import { state, toggle } from "../state.js";
import { calendar as texts, curves as words } from "../texts/history.js";
import { html } from "../view.js";
import { failure, loading, part } from "./pieces.js";

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function calendar() {
  const { value, error } = wanted("jobs/days", { days: 90, zone: ZONE });
  if (error) return failure(error);
  if (!value) return loading();
  const { days } = value;
  const open = state.open.has("curves");
  return html`<div class="calendar">
    <h3>${texts.title}</h3>
    <p>${summary(days)}</p>
    <ol class="days" aria-hidden="true">
      ${before(days[0])} ${days.map(cell)}
    </ol>
    <p class="ends" aria-hidden="true">
      <span>${shortDay(local(days[0].date))}</span><span>${shortDay(local(days.at(-1).date))}</span>
    </p>
    <ul class="sr-only">
      ${days.filter((day) => kind(day) !== "good" && kind(day) !== "none").map(spoken)}
    </ul>
    <p class="legend" aria-hidden="true">
      ${Object.entries(texts.legend).map(
        ([name, text]) => html`<span><i class="day ${name}"></i>${text}</span>`,
      )}
    </p>
    <p>
      <button
        type="button"
        class="small"
        aria-expanded=${open ? "true" : "false"}
        onclick=${() => toggle("curves")}
      >
        ${words.open}
      </button>
    </p>
    ${open && part(late("curves"), (module) => module.curves())}
  </div>`;
}

function summary(days) {
  const of = (name) => days.filter((day) => day[name] > 0).length;
  const trouble = ["failed", "missed"].filter((name) => of(name) > 0);
  const said = [
    texts.summary(of("succeeded"), days.length),
    ...trouble.map((name) => texts.trouble[name](of(name))),
  ];
  return `${said.join("; ")}.`;
}

/** Weeks begin on Monday: the days of the first one that are not shown. */
function before({ date }) {
  const missing = (local(date).getDay() + 6) % 7;
  return Array.from({ length: missing }, (_, day) => html`<li key=${day} class="day outside"></li>`);
}

function cell(day) {
  return html`<li key=${day.date} class="day ${kind(day)}" title=${label(day)}></li>`;
}

function spoken(day) {
  return html`<li key=${day.date}>${label(day)}</li>`;
}

/** A missed run is the worst news of a day, unless a backup was made on it. */
function kind({ succeeded, failed, missed }) {
  if (succeeded > 0) return failed + missed > 0 ? "mixed" : "good";
  return missed > 0 ? "missed" : failed > 0 ? "failed" : "none";
}

function label(day) {
  const told = Object.entries(texts.counts)
    .filter(([name]) => day[name] > 0)
    .map(([name, text]) => text(day[name]));
  return texts.day(shortDay(local(day.date)), told.join(", ") || texts.legend.none);
}

/** Noon of that day here: no zone moves it to another day. */
const local = (date) => new Date(`${date}T12:00:00`);
