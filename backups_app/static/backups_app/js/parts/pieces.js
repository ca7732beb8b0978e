/** Small pieces that every part is made of. */

import { isEnglish } from "../catalog.js";
import { count, sentence } from "../format.js";
import { common, explain } from "../texts/common.js";
import { pager as texts } from "../texts/history.js";
import { html } from "../view.js";

/** A picture that repeats what the text beside it says; drawn by the style sheet, silent to readers. */
export function icon(name) {
  return html`<span class="icon icon-${name}" aria-hidden="true"></span>`;
}

/** A box that says what happened and what to do. `level`: good, attention, bad, plain. */
export function message(level, text, hint, ...rest) {
  return html`<div class="message ${level}">
    ${icon(level)}
    <div class="message-body">
      <p class="message-text">${sentence(text)}</p>
      ${hinted(hint)} ${rest}
    </div>
  </div>`;
}

const hinted = (hint) => hint && html`<p class="hint">${hint}</p>`;

/** What the server has refused or failed at; with a `title` that is said of it first. */
export function failure(error, title = "", ...rest) {
  const { text, hint, original } = explain(error);
  const server = inEnglish(original);
  if (!title) return message("bad", text, hint, server, ...rest);
  return message("bad", title, null, html`<p>${sentence(text)}</p>`, hinted(hint), server, ...rest);
}

/** The server's own words, for whoever looks them up. */
export function inEnglish(text) {
  if (!text) return null;
  return html`<p class="quiet" lang=${isEnglish ? null : "en"}>${text}</p>`;
}

/** For a part that has nothing to show yet. */
export function empty(text, hint) {
  return html`<div class="empty">
    <p class="message-text">${text}</p>
    ${hint && html`<p class="hint">${hint}</p>`}
  </div>`;
}

/** For a part whose data is on its way. */
export function loading(text = common.loading) {
  return html`<p class="loading">${icon("busy")}${text}</p>`;
}

/** What a part that is loaded on demand shows: its `view`, or why there is none. */
export function part(module, view) {
  if (module === null) return loading();
  if (module instanceof Error) return message("bad", common.brokenPart, common.brokenPartHint);
  return view(module);
}

/** Names of settings, and files, stand out so that they can be found and copied. */
export function withNames(text = "") {
  return text
    .split(/([A-Z][A-Z0-9]*_[A-Z0-9_]+(?:=\w+)?|\.env\b|logs\/app\.log)/)
    .map((piece, index) => (index % 2 ? html`<code>${piece}</code>` : piece));
}

export function fact(name, ...value) {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

/** Keeps every list short, however long the history; a button at its end keeps the focus. */
export function pager({ title, offset, size, total, show }) {
  if (total <= size) return null;
  const last = Math.min(offset + size, total);
  return html`<nav class="pager" aria-label=${texts.label(title)}>
    <span class="quiet">${texts.range(count(offset + 1), count(last), count(total))}</span>
    ${step(texts.newer, offset > 0, () => show(Math.max(0, offset - size)))}
    ${step(texts.older, last < total, () => show(offset + size))}
  </nav>`;
}

/** Disabled for the eye and for readers, but not for the focus, which would be lost. */
export function step(text, possible, onclick) {
  return html`<button
    type="button"
    aria-disabled=${possible ? null : "true"}
    onclick=${possible ? onclick : null}
  >
    ${text}
  </button>`;
}

/** A button that folds in or out what `label` says. */
export function folder({ open, label, controls, onclick }) {
  const text = open ? common.less : common.more;
  return html`<button
    type="button"
    class="fold"
    aria-expanded=${open ? "true" : "false"}
    aria-controls=${controls}
    aria-label=${`${text}: ${label}`}
    onclick=${onclick}
  >
    ${text}
  </button>`;
}

/** What the clipboard takes: with a plain text field beside it for those who cannot copy so. */
export function copyButton(text, label) {
  const copy = async ({ currentTarget }) => {
    await navigator.clipboard?.writeText(text);
    currentTarget.textContent = common.copied;
  };
  return html`<button type="button" class="small" aria-label=${`${common.copy}: ${label}`} onclick=${copy}>
    ${common.copy}
  </button>`;
}
