/** A section that is folded away behind its title until it is wanted. */

import { state, toggle } from "../state.js";
import { html } from "../view.js";

export function fold(name, title, content) {
  const open = state.open.has(name);
  return html`<section class="sub" key=${name}>
    <h3>
      <button
        type="button"
        class="link"
        aria-expanded=${open ? "true" : "false"}
        onclick=${() => toggle(name)}
      >
        ${title}
      </button>
    </h3>
    ${open && content()}
  </section>`;
}
