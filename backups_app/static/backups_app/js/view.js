/**
 * The view library: templates (htm) that become nodes (Preact) that make the page equal to them,
 * touching only what differs: focus, open parts and what a screen reader is reading survive.
 *
 * Text only ever becomes a text node: there is no way in here to pass markup.
 */

import { Component, createRef, h, render } from "./vendor/preact-11.2.0.js";
import htm from "./vendor/htm-3.1.1.js";

export { Component, createRef };
export const html = htm.bind(h);

/** Makes the content of `parent` equal to `nodes`; what the server put there as a fallback goes. */
export function draw(parent, nodes) {
  if (!drawn.has(parent)) parent.replaceChildren();
  drawn.add(parent);
  render(nodes, parent);
}

const drawn = new WeakSet();
