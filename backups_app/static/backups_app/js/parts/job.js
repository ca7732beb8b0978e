/** One job unfolded: its phases, its backup, its warnings and its log. */

import { get } from "../api.js";
import { exactClock, seconds, when } from "../format.js";
import { isActive, learn, state } from "../state.js";
import { common, phases, triggers } from "../texts/common.js";
import { history as texts } from "../texts/history.js";
import { now as words } from "../texts/now.js";
import { html } from "../view.js";
import { empty, fact, failure, loading } from "./pieces.js";
import { warningList } from "./warnings.js";

const SHOWN = 150; // lines at once; older ones leave when more are asked for

export function jobDetails(job) {
  const by = [triggers[job.trigger], job.requestedBy].filter(Boolean).join(", ");
  return html`<div class="row-more">
    <dl class="facts">
      ${fact(texts.by, by)}
      ${job.phases.length > 0 && fact(texts.phaseTimes, job.phases.map(phaseTime).join(" · "))}
      ${job.backupKey && fact(texts.key, html`<code>${job.backupKey}</code>`)}
      ${job.error && fact(texts.error, html`<code>${job.error.code}</code>`)}
      ${fact(texts.id, html`<code>${job.id}</code>`)}
    </dl>
    ${job.result?.safetyCopy && html`<p>${words.safetyCopy(job.result.safetyCopy)}</p>`}
    ${warningList(job)} ${log(job)}
  </div>`;
}

function phaseTime({ name, seconds: time }) {
  return `${phases[name] ?? name} ${time === null || time === undefined ? "…" : seconds(time)}`;
}

function log(job) {
  const known = state.logs.get(job.id);
  if (!known) {
    return html`<p>
      <button type="button" class="small" onclick=${() => read(job)}>${texts.log}</button>
    </p>`;
  }
  if (known.error) return failure(known.error);
  if (known.lines.length === 0) return known.loading ? loading() : empty(texts.logEmpty);
  return html`<div class="log">
    <h4>${texts.logTitle}</h4>
    <ol tabindex="0" aria-label=${texts.logTitle}>
      ${known.lines.slice(-SHOWN).map(line)}
    </ol>
    ${(known.next || isActive(job)) &&
    html`<button type="button" class="small" disabled=${known.loading} onclick=${() => read(job)}>
      ${known.loading ? common.loading : texts.logMore}
    </button>`}
  </div>`;
}

function line({ id, at, level, text }) {
  return html`<li key=${id} class=${level.toLowerCase()}>
    ${when(at, exactClock(new Date(at)))} <span>${text}</span>
  </li>`;
}

/** The next page of the job's lines. */
async function read(job) {
  const known = state.logs.get(job.id) ?? { lines: [] };
  keep(job, { ...known, loading: true });
  const after = known.lines.at(-1)?.id;
  await get(`jobs/${job.id}/log`, { after, limit: 100 }).then(
    ({ lines, next }) => keep(job, { lines: [...known.lines, ...lines], next }),
    (error) => keep(job, { ...known, error }),
  );
}

function keep(job, log) {
  learn({ logs: new Map(state.logs).set(job.id, log) });
}
