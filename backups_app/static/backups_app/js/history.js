/** History: every job, how it ended and why. */

import { now } from "./api.js";
import { h } from "./dom.js";
import { bytes, moment, ranFor, seconds, when } from "./format.js";
import { empty, loading, message } from "./message.js";
import { pager } from "./pager.js";
import { PAGE_SIZE, state } from "./state.js";
import { row, table } from "./table.js";
import { words } from "./texts.js";
import { warningList } from "./warnings.js";

const texts = words.history;

/** `actions`: { showHistory(offset) }. */
export function history({ showHistory }) {
  const { history: page, historyError: error, historyOffset: offset } = state;
  if (!page)
    return error
      ? message("bad", texts.failed, [error.message, ". ", error.hint])
      : loading(texts.loading);
  if (page.count === 0) return empty(texts.empty, texts.emptyHint);
  const rows = page.ids.map((id) => one(state.jobs.get(id)));
  return [
    error && message("bad", texts.failed, [error.message, ". ", error.hint]),
    table({ title: texts.title, columns: texts.columns, rows }),
    pager({ title: texts.title, offset, size: PAGE_SIZE, total: page.count, show: showHistory }),
  ];
}

function one(job) {
  const took = ranFor(job, now());
  return row(job.id, texts.columns, {
    what: [
      h("strong", null, words.kinds[job.kind]),
      job.attempt > 1 && h("span", { class: "quiet" }, texts.attempt(job.attempt)),
      why(job),
      details(job),
    ],
    state: h("span", { class: `pill ${job.state.toLowerCase()}` }, words.states[job.state]),
    began: when(job.startedAt ?? job.createdAt, moment(job.startedAt ?? job.createdAt)),
    took: took === null ? "–" : seconds(took),
    moved: size(job),
    by: [
      words.triggers[job.trigger],
      job.requestedBy && h("span", { class: "quiet" }, job.requestedBy),
    ],
  });
}

function size(job) {
  const moved = job.result?.size ?? job.result?.bytes;
  return moved === undefined || moved === null ? "–" : bytes(moved);
}

function why({ error }) {
  if (!error) return null;
  return [
    h("p", { class: "why" }, error.message),
    error.hint && h("p", { class: "hint" }, error.hint),
  ];
}

function details(job) {
  const facts = [
    job.phases.length > 0 && fact(texts.phaseTimes, job.phases.map(phaseTime).join(" · ")),
    job.backupKey && fact(texts.key, h("code", null, job.backupKey)),
    job.result?.safetyCopy && fact("", words.now.safetyCopy(job.result.safetyCopy)),
    job.error && fact(texts.error, h("code", null, job.error.code)),
    fact(texts.id, h("code", null, job.id)),
  ];
  return h(
    "details",
    { key: "details" },
    h("summary", null, texts.details),
    h("dl", null, facts),
    warningList(job),
  );
}

function phaseTime({ name, seconds: time }) {
  return `${words.phases[name] ?? name} ${time === null || time === undefined ? "…" : seconds(time)}`;
}

function fact(name, value) {
  return h("div", null, name && h("dt", null, name), h("dd", null, value));
}
