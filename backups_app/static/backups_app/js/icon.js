/** A picture that repeats what the text beside it says; drawn by the style sheet, silent to readers. */

import { h } from "./dom.js";

export function icon(name) {
  return h("span", { class: `icon icon-${name}`, "aria-hidden": "true" });
}
