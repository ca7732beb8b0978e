/** The questions with one answer each: undo, cancel, delete, confirm. */

import { cancel, confirmShrunk, remove, undo } from "../actions.js";
import { wordOf } from "../asking.js";
import { moment } from "../format.js";
import { madeAt } from "../made.js";
import { icon, inEnglish, message } from "../parts/pieces.js";
import { state } from "../state.js";
import { explain } from "../texts/common.js";
import { cancelling, confirming, removing, restore, undoing } from "../texts/dialogs.js";
import { html } from "../view.js";
import { form, isTyped, steps, typedWord } from "./form.js";

export function undoQuestion({ about: copy }) {
  const { dataDir = "", restoreStopsInstances, stopInstancesBeforeBackup } = state.status ?? {};
  const stops = restoreStopsInstances ?? stopInstancesBeforeBackup;
  const told = copy.partial ? undoing.partSteps : undoing.steps;
  return form({
    title: undoing.title,
    recent: true,
    confirm: undoing.confirm,
    run: undo,
    body: [
      steps(told(dataDir, copy.path)),
      stops
        ? html`<p>${restore.stops}</p>`
        : html`<p class="message attention">
            ${icon("attention")}<span>${restore.stopFirst}</span>
          </p>`,
    ],
  });
}

export function cancelQuestion({ about: job }) {
  return form({
    title: cancelling.titles[job.kind],
    leave: cancelling.keep,
    confirm: cancelling.confirms[job.kind],
    run: () => cancel(job),
    body: html`<p>${cancelling.texts[job.kind]}</p>`,
  });
}

export function removeQuestion({ about: backup, typed }) {
  const word = wordOf(backup);
  return form({
    title: removing.title,
    recent: true,
    ready: isTyped(word, typed),
    confirm: removing.confirm,
    run: () => remove(backup, typed.trim()),
    body: [
      html`<p class="chosen">
        ${restore.backupOf(moment(madeAt(backup)))} <code>${backup.key}</code>
      </p>`,
      html`<p>${removing.text}</p>`,
      typedWord(word, typed),
    ],
  });
}

export function confirmQuestion({ about: reason }) {
  return form({
    title: confirming.title,
    recent: true,
    confirm: confirming.confirm,
    run: confirmShrunk,
    body: [
      html`<p>${confirming.stopped}</p>`,
      message("attention", explain(reason).text, null, inEnglish(explain(reason).original)),
      html`<p>${confirming.text}</p>`,
    ],
  });
}
