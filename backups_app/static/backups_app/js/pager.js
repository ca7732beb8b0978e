/** "1–10 of 132, Newer, Older": keeps every list short, however long the history. */

import { h } from "./dom.js";
import { words } from "./texts.js";

const texts = words.pager;

/** `show(offset)` is called with the first row of the page asked for. */
export function pager({ title, offset, size, total, show }) {
  if (total <= size) return null;
  const last = Math.min(offset + size, total);
  return h("nav", { class: "pager", "aria-label": texts.label(title) }, [
    h("span", { class: "quiet" }, texts.range(offset + 1, last, total)),
    step(texts.newer, offset > 0, () => show(Math.max(0, offset - size))),
    step(texts.older, last < total, () => show(offset + size)),
  ]);
}

function step(text, possible, onclick) {
  return h("button", { type: "button", disabled: !possible, onclick }, text);
}
