/** The top: one sentence and a colour, the reasons, and what to press. */

import * as act from "../actions.js";
import { now } from "../api.js";
import { ask } from "../asking.js";
import { ago, capital, sentence } from "../format.js";
import { may } from "../may.js";
import { refreshAll } from "../refresh.js";
import { currentJob, learn, state } from "../state.js";
import { common } from "../texts/common.js";
import { actionTexts, verdict as texts } from "../texts/verdict.js";
import { html } from "../view.js";
import { failure, icon, inEnglish, withNames } from "./pieces.js";
import { wording } from "./words.js";

export function top() {
  const { statusError: error, status } = state;
  if (error?.status === 401) return signedOut();
  if (error?.status === 403) return plain("bad", texts.forbidden, texts.forbiddenHint);
  if (error) return unknown(error);
  if (!status) return panel("plain", icon("busy"), html`<h1>${texts.loading}</h1>`);
  return verdict(status);
}

/** good, attention, unknown or bad, for the title of the tab. */
export function level() {
  const { statusError, status } = state;
  return statusError || !status ? "unknown" : status.verdict.level;
}

let told = { key: "", text: "" };

/** What a screen reader is told when the verdict changes, and not each time an age does. */
export function spoken() {
  const { statusError, status } = state;
  if (statusError || !status) return "";
  const key = [status.verdict.level, ...status.verdict.reasons.map(({ code }) => code)].join(" ");
  if (key !== told.key) told = { key, text: wording(status, now()).title };
  return told.text;
}

function panel(levelName, picture, ...content) {
  return html`<div class="verdict ${levelName}">
    ${picture}
    <div class="verdict-body">${content}</div>
  </div>`;
}

function plain(levelName, title, hint, ...rest) {
  return panel(
    levelName,
    icon(levelName === "unknown" ? "attention" : levelName),
    html`<h1>${title}</h1>`,
    hint && html`<p class="hint">${hint}</p>`,
    rest,
  );
}

function signedOut() {
  const href = document.documentElement.dataset.login;
  const link = html`<a class="button primary" href=${href}>${common.signIn}</a>`;
  return plain("bad", texts.signedOut, texts.signedOutHint, html`<p class="actions">${link}</p>`);
}

function unknown(error) {
  const at = state.status && new Date(state.statusAt).toISOString();
  return plain(
    "unknown",
    texts.levels.unknown(error.message),
    error.hint,
    at && html`<p class="hint">${texts.unknownSince(ago(at, now()))}</p>`,
    html`<p class="actions">
      <button type="button" onclick=${refreshAll}>${common.again}</button>
    </p>`,
  );
}

function verdict(status) {
  const found = wording(status, now());
  return panel(
    found.level,
    icon(found.level === "unknown" ? "attention" : found.level),
    html`<h1 id="verdict">${found.title}</h1>`,
    found.reasons.length > 0 && html`<p class="since">${sentence(capital(found.since))}</p>`,
    reasons(found.reasons),
    may("start_job")
      ? html`<p class="actions">${backUpButton(status)}</p>`
      : html`<p class="quiet">${texts.mayNot("operator")}</p>`,
  );
}

/** The first reason is the heading already: only its hint is said again. */
function reasons(all) {
  if (all.length === 0) return null;
  const items = all.map(
    (reason, index) => html`<li key=${`${reason.code} ${reason.subject}`} class=${reason.level}>
      ${(index > 0 || all.length > 1) && html`<strong>${sentence(capital(reason.text))} </strong>`}
      ${withNames(reason.hint)} ${inEnglish(reason.original)} ${what(reason)}
    </li>`,
  );
  return html`<ul class="reasons">${items}</ul>`;
}

/** A button that mends it or leads to where it is mended, or a command to type. */
function what(reason) {
  const press = PRESSES[reason.action];
  if (press && press.may() && reason.action !== "backUp") {
    return html`<p>
      <button type="button" class="small" onclick=${() => press.run(reason)}>${reason.press}</button>
    </p>`;
  }
  return reason.command && html`<p><code class="command">${reason.command}</code></p>`;
}

const idle = () => state.sending === null && !currentJob();
const anybody = () => true;
const mayCheck = () => may("start_job") && idle() && state.backups?.length > 0;
/** The backup that the reason names, or the newest one. */
const about = ({ backupKey }) => (backupKey ? { key: backupKey } : state.backups[0]);
const PRESSES = {
  backUp: { may: anybody, run: act.backUp },
  verify: { may: mayCheck, run: (one) => act.verify(about(one)) },
  drill: { may: mayCheck, run: (one) => act.drill(about(one)) },
  confirm: { may: () => may("delete_backup"), run: (one) => ask("confirm", one) },
  resume: { may: () => may("start_job"), run: act.resume },
  refresh: { may: anybody, run: refreshAll },
  doctor: { may: anybody, run: () => show("setup", "doctor") },
  settings: { may: anybody, run: () => show("setup", "settings") },
  history: { may: anybody, run: (one) => show("history", one.subject) },
};

/** Unfolds `name` in that section and goes there. */
function show(section, name) {
  learn({ open: new Set([...state.open, section, name]) });
  const title = document.getElementById(`${section}-title`);
  title.scrollIntoView({ block: "start" });
  title.focus();
}

function backUpButton(status) {
  if (currentJob() || status.problems.length > 0) return null;
  const asking = state.sending === "backup";
  return html`<button
    type="button"
    class="primary"
    disabled=${state.sending !== null}
    onclick=${act.backUp}
  >
    ${asking ? texts.asking : actionTexts.backUp}
  </button>`;
}

/** What the last action was answered, where it was refused. */
export function notice() {
  if (!state.notice) return null;
  const again = state.notice.code === "LOGIN_TOO_OLD" && signInAgain();
  return failure(
    state.notice,
    "",
    html`<p class="actions">
      ${again}
      <button type="button" onclick=${act.dismiss}>${common.close}</button>
    </p>`,
  );
}

/** What cannot be taken back wants a recent login. */
export function signInAgain() {
  const href = `${document.documentElement.dataset.login}?again=1`;
  return html`<a class="button primary" href=${href}>${common.signInAgain}</a>`;
}
