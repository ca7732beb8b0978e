/** Boxes that say what happened and what to do. */

import { h } from "./dom.js";
import { icon } from "./icon.js";

/** `level` good|attention|bad|plain; the hint may be missing. */
export function message(level, text, hint, ...rest) {
  return h("div", { class: `message ${level}` }, [
    icon(level),
    h(
      "div",
      { class: "message-body" },
      h("p", { class: "message-text" }, text),
      hint && h("p", { class: "hint" }, hint),
      rest,
    ),
  ]);
}

/** For a part that has nothing to show yet. */
export function empty(text, hint) {
  return h(
    "div",
    { class: "empty" },
    h("p", { class: "message-text" }, text),
    hint && h("p", { class: "hint" }, hint),
  );
}

/** For a part whose data is on its way. */
export function loading(text) {
  return h("p", { class: "loading" }, icon("busy"), text);
}
