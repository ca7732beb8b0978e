/** Now: the job that runs, or how the last one ended that was seen running on this page. */

import { dismissEnded } from "../actions.js";
import { now as clock } from "../api.js";
import { ask } from "../asking.js";
import { ago, bytes, count, ranFor, seconds, when } from "../format.js";
import { may } from "../may.js";
import { currentJob, endedJob, isActive, state } from "../state.js";
import { common, explain, kinds, phases, phasesOf, states, triggers } from "../texts/common.js";
import { done, failed, nothingNew, now as texts } from "../texts/now.js";
import { html } from "../view.js";
import { empty, fact, inEnglish, loading, message } from "./pieces.js";
import { warningList } from "./warnings.js";

export function now() {
  const job = currentJob();
  if (job) return running(job);
  const last = endedJob(clock());
  if (last) return ended(last);
  if (state.status) return empty(texts.idle);
  return state.statusError ? empty(texts.unknown) : loading(texts.loading);
}

/** What a screen reader is told: phases and ends, not every percent. */
export function announcement() {
  const job = state.jobs.get(state.watched);
  if (!job) return "";
  if (!isActive(job)) return outcome(job).text;
  return `${kinds[job.kind]}: ${phases[job.phase] ?? states[job.state]}`;
}

function running(job) {
  return html`<div class="running" key=${job.id}>
    <div class="running-head">
      <h3>
        ${kinds[job.kind]} <span class="quiet">${startedHow(job)}</span>
      </h3>
      ${cancelButton(job)}
    </div>
    ${job.state === "PENDING" ? waiting(job) : [steps(job), bar(job), numbers(job)]}
    ${warningList(job)}
  </div>`;
}

const startedHow = (job) => texts.started(triggers[job.trigger], job.requestedBy);

function cancelButton(job) {
  if (job.cancelRequested) return html`<span class="quiet">${texts.cancelling}</span>`;
  if (!may("start_job")) return null;
  return html`<button
    type="button"
    disabled=${state.sending !== null}
    onclick=${() => ask("cancel", job)}
  >
    ${texts.cancel}
  </button>`;
}

function waiting(job) {
  if (state.status?.workersAlive === 0) return loading(texts.noWorker);
  return loading(job.attempt > 1 ? texts.waitingAgain(job.attempt) : texts.waiting);
}

function steps(job) {
  const names = stepNames(job);
  const at = names.indexOf(job.phase);
  const items = names.map((name, index) => {
    const here = index === at;
    return html`<li
      class=${index < at ? "done" : here ? "here" : ""}
      aria-current=${here ? "step" : null}
    >
      ${phases[name] ?? name}
      ${index < at && html`<span class="sr-only"> (${texts.stepDone})</span>`}
    </li>`;
  });
  return html`<ol class="steps">${items}</ol>`;
}

/** Stopping and starting are steps only where the job comes to them. */
function stepNames({ kind, phases: past }) {
  const usual = phasesOf[kind];
  const names = past.map(({ name }) => name);
  const at = names.findLastIndex((name) => usual.includes(name));
  const next = at < 0 ? 0 : usual.indexOf(names[at]) + 1;
  return [...new Set([...names, ...usual.slice(next)])];
}

/** Two elements: one that had a value cannot be made to show that none is known. */
function bar(job) {
  const { percent } = job.progress;
  const label = texts.progress(kinds[job.kind]);
  if (percent === null) {
    return html`<div class="bar"><progress key="unknown" max="100" aria-label=${label}></progress></div>`;
  }
  return html`<div class="bar">
    <progress key="known" max="100" value=${percent} aria-label=${label}></progress>
    <span class="percent" aria-hidden="true">${texts.percent(percent)}</span>
  </div>`;
}

function numbers(job) {
  const { filesDone, filesTotal, bytesDone, bytesTotal, bytesSent, bytesPerSecond, secondsLeft } =
    job.progress;
  const downtime = downtimeOf(job);
  return html`<dl class="numbers">
    ${fact(texts.data, part(bytesDone, bytesTotal, bytes))}
    ${fact(texts.files, part(filesDone, filesTotal, count))}
    ${job.kind === "backup" && fact(texts.sent, bytes(bytesSent))}
    ${bytesPerSecond > 0 && fact(texts.rate, texts.perSecond(bytes(bytesPerSecond)))}
    ${fact(texts.elapsed, seconds(ranFor(job, clock()) ?? 0))}
    ${downtime !== null && fact(texts.downtime, seconds(downtime))}
    ${secondsLeft !== null && fact(texts.left, texts.leftValue(seconds(calm(secondsLeft))))}
  </dl>`;
}

/** How long the application stands still, or stood; null where it is not stopped. In seconds. */
function downtimeOf({ progress, phases: past }) {
  const since = progress.stoppedSince ?? past.find(({ name }) => name === "stopping")?.startedAt;
  if (!since) return null;
  const starting = past.findLast(({ name, seconds: took }) => name === "starting" && took != null);
  const over = !progress.stoppedSince && starting;
  const end = over ? Date.parse(starting.startedAt) + starting.seconds * 1000 : clock();
  return Math.max(0, (end - Date.parse(since)) / 1000);
}

/** A guess that jumps by seconds is noise: whole minutes while there are some. */
function calm(left) {
  return left > 90 ? Math.round(left / 60) * 60 : left;
}

function part(finished, total, format) {
  return total ? texts.of(format(finished), format(total)) : format(finished);
}

function ended(job) {
  const { level, text, hint, original } = outcome(job);
  const at = job.finishedAt ?? job.createdAt;
  return html`<div key=${`${job.id} ended`}>
    ${message(
      level,
      text,
      hint,
      inEnglish(original),
      html`<p class="quiet">${when(at, texts.ended(ago(at, clock())))}</p>`,
      warningList(job),
      html`<p class="actions">
        <button type="button" class="small" onclick=${dismissEnded}>${common.close}</button>
      </p>`,
    )}
  </div>`;
}

/** How a job ended: `{ level, text, hint, original }`. */
export function outcome(job) {
  if (job.state === "SUCCEEDED") return success(job);
  const title = failed[job.state][job.kind];
  if (job.state === "CANCELLED") return { level: "plain", text: title, hint: "" };
  const { text, hint, original } = explain(job.error ?? {});
  return { level: "bad", text: text ? `${title}: ${text}` : title, hint, original };
}

function success(job) {
  const result = job.result ?? {};
  const time = seconds(ranFor(job, clock()) ?? 0);
  const files = common.files(result.files ?? 0);
  const text = result.unchanged ? nothingNew : done[job.kind]({ size: bytes(result.size), files, time });
  const copy = result.safetyCopy;
  const isPart = job.paths?.length > 0 || job.entries?.length > 0;
  const hint = copy && (isPart ? texts.safetyPart(copy) : texts.safetyCopy(copy));
  return { level: job.warningCount > 0 ? "attention" : "good", text, hint };
}
