/** The top: one sentence and a colour, the reasons, and what to press. */

import { now } from "./api.js";
import { ago, bytes, capital, upcoming, when } from "./format.js";
import { h } from "./dom.js";
import { icon } from "./icon.js";
import { currentJob, state } from "./state.js";
import { words } from "./texts.js";
import { judge } from "./verdict.js";

const texts = words.verdict;

/** `actions`: { backUp, refresh }. */
export function top(actions) {
  const { statusError: error, status } = state;
  if (error?.status === 401) return signedOut();
  if (error?.status === 403) return plain("bad", texts.forbidden, texts.forbiddenHint);
  if (error) return unknown(error, actions);
  if (!status) return panel("plain", icon("busy"), h("h1", null, texts.loading));
  return verdict(status, actions);
}

/** good | attention | bad | unknown, for the title of the tab. */
export function level() {
  const { statusError, status, backups, backupsError } = state;
  if (statusError || !status) return "unknown";
  return judge({ status, backups, backupsError, now: now() }).level;
}

function panel(levelName, ...content) {
  const [picture, ...rest] = content;
  return h(
    "div",
    { class: `verdict ${levelName}` },
    picture,
    h("div", { class: "verdict-body" }, rest),
  );
}

function plain(levelName, title, hint, ...rest) {
  return panel(
    levelName,
    icon(levelName),
    h("h1", null, title),
    hint && h("p", { class: "hint" }, hint),
    rest,
  );
}

function signedOut() {
  const link = h(
    "a",
    { class: "button primary", href: document.documentElement.dataset.login },
    texts.signIn,
  );
  return plain("bad", texts.signedOut, texts.signedOutHint, h("p", { class: "actions" }, link));
}

function unknown(error, { refresh }) {
  const old =
    state.status &&
    h(
      "p",
      { class: "hint" },
      texts.unknownSince(ago(new Date(state.statusAt).toISOString(), now())),
    );
  const again = h("button", { type: "button", onclick: refresh }, texts.tryAgain);
  return plain(
    "attention",
    texts.unknown(error.message),
    error.hint,
    old,
    h("p", { class: "actions" }, again),
  );
}

function verdict(status, actions) {
  const found = judge({
    status,
    backups: state.backups,
    backupsError: state.backupsError,
    now: now(),
  });
  return panel(
    found.level,
    icon(found.level),
    h("h1", { id: "verdict" }, found.title),
    found.reasons.length > 0 && h("p", { class: "since" }, `${capital(found.since)}.`),
    reasons(found.reasons),
    h("p", { class: "actions" }, backUpButton(status, actions)),
  );
}

/** The first reason is the heading already: only its hint is said again. */
function reasons(all) {
  if (all.length === 0) return null;
  const items = all.map((reason, index) =>
    h("li", { key: reason.variable ?? reason.text, class: reason.level }, [
      (index > 0 || all.length > 1) && h("strong", null, `${capital(reason.text)}. `),
      withNames(reason.hint),
    ]),
  );
  return h("ul", { class: "reasons" }, items);
}

/** Names of settings stand out, so that they can be found and copied. */
function withNames(text = "") {
  return text
    .split(/([A-Z][A-Z0-9]*_[A-Z0-9_]+(?:=\w+)?|\.env\b)/)
    .map((piece, index) => (index % 2 ? h("code", null, piece) : piece));
}

function backUpButton(status, { backUp }) {
  if (currentJob() || status.problems.length > 0) return null;
  const asking = state.sending === "backup";
  return h(
    "button",
    { type: "button", class: "primary", disabled: state.sending !== null, onclick: backUp },
    asking ? texts.asking : texts.backUp,
  );
}

/** The settings in use, in one line each. */
export function facts() {
  const { status } = state;
  if (!status) return null;
  const names = words.facts;
  const schedule = status.enabled
    ? names.scheduleValue(status.schedule, status.timezone)
    : names.scheduleOff;
  return h("dl", { class: "facts" }, [
    fact(names.folder, status.dataDir),
    fact(names.bucket, status.s3Bucket || names.notSet),
    fact(
      names.schedule,
      schedule,
      status.enabled &&
        status.nextRun && [" · ", when(status.nextRun, upcoming(status.nextRun, now()))],
    ),
    fact(names.kept, names.keptValue(status.maxBackups)),
    fact(names.encryption, status.encrypted ? names.on : names.off),
    status.sizes?.total > 0 && fact(names.total, bytes(status.sizes.total)),
  ]);
}

function fact(name, ...value) {
  return h("div", null, h("dt", null, name), h("dd", null, value));
}
