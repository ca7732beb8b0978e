/** History: every job, how it ended and why; its days and curves above. */

import { now } from "../api.js";
import { bytes, moment, ranFor, seconds, sentence, when } from "../format.js";
import { late } from "../late.js";
import { refreshHistory } from "../refresh.js";
import { learn, PAGE_SIZE, state, toggle } from "../state.js";
import { explain, kinds, states } from "../texts/common.js";
import { history as texts } from "../texts/history.js";
import { html } from "../view.js";
import { jobDetails } from "./job.js";
import { empty, failure, folder, inEnglish, loading, pager, part } from "./pieces.js";

export function history() {
  const { history: page, historyError: error, filter } = state;
  if (!page) return error ? failure(error, texts.failed) : loading(texts.loading);
  const chosen = filter.kind || filter.state;
  if (page.count === 0 && !chosen) return empty(texts.empty, texts.emptyHint);
  const jobs = page.ids.map((id) => state.jobs.get(id));
  return [
    error && failure(error, texts.failed),
    part(late("calendar"), ({ calendar }) => calendar()),
    filters(filter),
    jobs.length === 0 && empty(texts.noMatch),
    html`<ul class="rows">${jobs.map(row)}</ul>`,
    pager({
      title: texts.title,
      offset: state.historyOffset,
      size: PAGE_SIZE,
      total: page.count,
      show: refreshHistory,
    }),
  ];
}

function filters(filter) {
  const choose = (name) => ({ target }) => {
    learn({ filter: { ...state.filter, [name]: target.value } });
    refreshHistory(0);
  };
  return html`<div class="filters">
    ${choice(texts.kind, kinds, filter.kind, choose("kind"))}
    ${choice(texts.state, states, filter.state, choose("state"))}
  </div>`;
}

function choice(label, words, chosen, onchange) {
  return html`<label>
    ${label}
    <select value=${chosen} onchange=${onchange}>
      <option value="">${texts.all}</option>
      ${Object.entries(words).map(([name, text]) => html`<option value=${name}>${text}</option>`)}
    </select>
  </label>`;
}

function row(job) {
  const at = job.startedAt ?? job.createdAt;
  const open = state.open.has(job.id);
  const id = `job-${job.id}`;
  return html`<li key=${job.id} class="row">
    <div class="row-line">
      <p class="row-what">
        <strong>${kinds[job.kind]}</strong>
        <span class="quiet">${when(at, moment(at))}${howMuch(job)}</span>
      </p>
      <p class="marks">
        <span class="pill ${job.state.toLowerCase()}">${states[job.state]}</span>
      </p>
      <p class="row-actions">
        ${folder({
          open,
          label: `${kinds[job.kind]}, ${moment(at)}`,
          controls: id,
          onclick: () => toggle(job.id),
        })}
      </p>
    </div>
    ${why(job)}
    <div id=${id}>${open && jobDetails(job)}</div>
  </li>`;
}

/** " · 12 s · 1.2 GB · try 2" */
function howMuch(job) {
  const took = ranFor(job, now());
  const moved = job.result?.size ?? job.result?.bytes;
  return [
    took !== null && seconds(took),
    moved != null && bytes(moved),
    job.attempt > 1 && texts.attempt(job.attempt),
  ]
    .filter(Boolean)
    .map((text) => ` · ${text}`)
    .join("");
}

function why({ error }) {
  if (!error) return null;
  const { text, hint, original } = explain(error);
  return html`<div class="why">
    <p class="bad">${sentence(text)}</p>
    ${hint && html`<p class="hint">${hint}</p>`} ${inEnglish(original)}
  </div>`;
}
