/** What questions are made of: a title, what will happen, what to type, two buttons. */

import { signInAgain } from "../parts/top.js";
import { answer, leaveQuestion } from "../asking.js";
import { withNodes } from "../catalog.js";
import { loginTooOld } from "../may.js";
import { message } from "../parts/pieces.js";
import { common } from "../texts/common.js";
import { ask as texts } from "../texts/dialogs.js";
import { html } from "../view.js";

/** `run(typed)` is called once the question was confirmed. `recent`: wants a recent login. */
export function form({ title, body, confirm, run, ready = true, leave = common.cancel, recent }) {
  if (recent && loginTooOld()) return tooOld(title);
  const submit = (event) => {
    event.preventDefault();
    if (!ready) return;
    leaveQuestion();
    run();
  };
  return html`<form method="dialog" onsubmit=${submit}>
    <h2 id="dialog-title">${title}</h2>
    <div class="dialog-body">${body}</div>
    <div class="actions">
      <button type="button" onclick=${leaveQuestion}>${leave}</button>
      <button type="submit" class="danger" disabled=${!ready}>${confirm}</button>
    </div>
  </form>`;
}

/** Said before anything is typed, not after. */
function tooOld(title) {
  return html`<div class="form">
    <h2 id="dialog-title">${title}</h2>
    <div class="dialog-body">${message("attention", texts.tooOld, texts.tooOldHint)}</div>
    <div class="actions">
      <button type="button" onclick=${leaveQuestion}>${common.cancel}</button>
      ${signInAgain()}
    </div>
  </div>`;
}

export function steps(all) {
  return html`<ol class="what-happens">${all.map((step) => html`<li>${step}</li>`)}</ol>`;
}

/** What was typed for an earlier question does not confirm this one: each begins empty. */
export function typedWord(word, typed) {
  return html`<label class="typed">
    ${withNodes(texts.type, { word: html`<strong>${word}</strong>` })}
    <input
      type="text"
      inputmode="numeric"
      autocomplete="off"
      spellcheck="false"
      data-first
      value=${typed}
      oninput=${({ target }) => answer({ typed: target.value })}
    />
  </label>`;
}

export const isTyped = (word, typed) => typed.trim() === word;
