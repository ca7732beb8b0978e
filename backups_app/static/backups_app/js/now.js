/** Now: the job that runs, or how the last one ended that was seen running on this page. */

import { now as clock } from "./api.js";
import { bytes, count, ranFor, seconds } from "./format.js";
import { h } from "./dom.js";
import { empty, loading, message } from "./message.js";
import { currentJob, isActive, state } from "./state.js";
import { words } from "./texts.js";
import { warningList } from "./warnings.js";

const texts = words.now;

/** `actions`: { askCancel(job) }. */
export function now(actions) {
  const job = currentJob();
  if (job) return running(job, actions);
  const last = state.jobs.get(state.watched);
  if (last) return ended(last);
  if (state.status) return empty(texts.idle);
  return state.statusError ? empty(texts.unknown) : loading(texts.loading);
}

/** What a screen reader is told: phases and ends, not every percent. */
export function announcement() {
  const job = state.jobs.get(state.watched);
  if (!job) return "";
  if (!isActive(job)) return outcome(job).text;
  const phase = words.phases[job.phase] ?? words.states[job.state];
  return texts.announce(words.kinds[job.kind], phase);
}

function running(job, { askCancel }) {
  const kind = words.kinds[job.kind];
  return h("div", { class: "running", key: job.id }, [
    h("div", { class: "running-head" }, [
      h(
        "h3",
        null,
        kind,
        " ",
        h("span", { class: "quiet" }, texts.started(words.triggers[job.trigger], job.requestedBy)),
      ),
      cancelButton(job, askCancel),
    ]),
    job.state === "PENDING" ? waiting(job) : [steps(job), bar(job), numbers(job)],
    warningList(job),
  ]);
}

function cancelButton(job, askCancel) {
  if (job.cancelRequested) return h("span", { class: "quiet" }, texts.cancelling);
  return h(
    "button",
    { type: "button", disabled: state.sending !== null, onclick: () => askCancel(job) },
    texts.cancel,
  );
}

function waiting(job) {
  const text = job.attempt > 1 ? texts.waitingAgain(job.attempt) : texts.waiting;
  return loading(text);
}

function steps(job) {
  const names = words.phasesOf[job.kind];
  const at = names.indexOf(job.phase);
  const items = names.map((name, index) => {
    const done = index < at;
    const here = index === at;
    return h(
      "li",
      { class: done ? "done" : here ? "here" : "", "aria-current": here ? "step" : null },
      [words.phases[name], done && h("span", { class: "sr-only" }, ` (${texts.stepDone})`)],
    );
  });
  return h("ol", { class: "steps" }, items);
}

function bar(job) {
  const { percent } = job.progress;
  return h("div", { class: "bar" }, [
    h("progress", {
      max: 100,
      value: percent,
      "aria-label": texts.progressLabel(words.kinds[job.kind]),
    }),
    percent !== null &&
      h("span", { class: "percent", "aria-hidden": "true" }, texts.percent(percent)),
  ]);
}

function numbers(job) {
  const { filesDone, filesTotal, bytesDone, bytesTotal, bytesSent, bytesPerSecond, secondsLeft } =
    job.progress;
  return h("dl", { class: "numbers" }, [
    number(texts.data, part(bytesDone, bytesTotal, bytes)),
    number(texts.files, part(filesDone, filesTotal, count)),
    job.kind === "backup" && number(texts.sent, bytes(bytesSent)),
    bytesPerSecond > 0 && number(texts.rate, texts.perSecond(bytes(bytesPerSecond))),
    number(texts.elapsed, seconds(ranFor(job, clock()) ?? 0)),
    secondsLeft !== null && number(texts.left, texts.leftValue(seconds(calm(secondsLeft)))),
  ]);
}

/** A guess that jumps by seconds is noise: whole minutes while there are some. */
function calm(left) {
  return left > 90 ? Math.round(left / 60) * 60 : left;
}

function part(done, total, format) {
  return total ? texts.of(format(done), format(total)) : format(done);
}

function number(name, value) {
  return h("div", { key: name }, h("dt", null, name), h("dd", null, value));
}

function ended(job) {
  const { level, text, hint } = outcome(job);
  return h("div", { key: `${job.id} ended` }, message(level, text, hint, warningList(job)));
}

function outcome(job) {
  if (job.state === "SUCCEEDED") return success(job);
  const reason = job.state === "CANCELLED" ? "" : job.error?.message;
  const text = texts.endedAs(words.kinds[job.kind], texts.ended[job.state], reason);
  if (job.state === "CANCELLED") return { level: "plain", text, hint: texts.cancelled[job.kind] };
  return { level: "bad", text, hint: job.error?.hint };
}

function success(job) {
  const result = job.result ?? {};
  const much = job.kind === "backup" ? bytes(result.size) : count(result.files);
  const text = texts.done[job.kind](much, seconds(ranFor(job, clock())));
  const hint = result.safetyCopy && texts.safetyCopy(result.safetyCopy);
  return { level: job.warningCount > 0 ? "attention" : "good", text, hint };
}
