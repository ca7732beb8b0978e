/** May this backup, or this part of it, take the place of what is there now? */

import { restore } from "../actions.js";
import { answer, wordOf } from "../asking.js";
import { count, moment } from "../format.js";
import { place } from "../looking.js";
import { madeAt } from "../made.js";
import { fact, failure, icon, loading, message } from "../parts/pieces.js";
import { state } from "../state.js";
import { ask, restore as texts } from "../texts/dialogs.js";
import { html } from "../view.js";
import { form, isTyped, steps, typedWord } from "./form.js";

export function restoreQuestion({ about, typed, sure, preview, previewError }) {
  const { backup, entry } = about;
  const word = wordOf(backup);
  const typedRight = isTyped(word, typed);
  const entries = entry ? [place(entry)] : null;
  return form({
    title: entry ? texts.partTitle : texts.title,
    recent: true,
    ready: typedRight && (!backup.damaged || sure),
    confirm: texts.confirm,
    run: () => restore(backup, typed.trim(), entries),
    body: [
      html`<p class="chosen">
        ${texts.backupOf(moment(madeAt(backup)))}
        <code>${entry ? entry.path : backup.key}</code>
      </p>`,
      backup.damaged && message("bad", ask.damaged, ask.damagedHint),
      numbers(preview, previewError),
      steps(entry ? texts.partSteps(entry.path, folder()) : texts.steps(folder())),
      instances(),
      typedWord(word, typed),
      backup.damaged && certain(sure),
    ],
  });
}

const folder = () => state.status?.dataDir ?? "";

/** What is there now and is not in the backup leaves the folder: that is told in numbers. */
function numbers(preview, error) {
  if (error) return failure(error, texts.notCounted);
  if (!preview) return loading(texts.counting);
  const { totals, complete } = preview;
  const told = Object.entries(texts.numbers).filter(([name]) => totals[name]?.entries > 0);
  return html`<div class="numbers-told">
    <p>${texts.wouldBe}</p>
    <dl class="numbers">
      ${told.map(([name, text]) => fact(text, count(totals[name].entries)))}
    </dl>
    ${!complete && html`<p class="quiet">${texts.incomplete}</p>`}
    <p class="quiet">${texts.same}</p>
  </div>`;
}

function instances() {
  const { restoreStopsInstances, stopInstancesBeforeBackup } = state.status ?? {};
  if (restoreStopsInstances ?? stopInstancesBeforeBackup) return html`<p>${texts.stops}</p>`;
  return html`<p class="message attention">${icon("attention")}<span>${texts.stopFirst}</span></p>`;
}

function certain(sure) {
  return html`<label class="check">
    <input
      type="checkbox"
      checked=${sure}
      onchange=${({ target }) => answer({ sure: target.checked })}
    />
    ${ask.damagedAgain}
  </label>`;
}
