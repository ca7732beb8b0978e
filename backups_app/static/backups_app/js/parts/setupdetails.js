/** The parts of Setup: schedule, check, notifications, settings, recovery kit, tokens. */

import { may } from "../may.js";
import { kit, settings as texts } from "../texts/setup.js";
import { html } from "../view.js";
import { doctor } from "./doctor.js";
import { fold } from "./fold.js";
import { failure, loading } from "./pieces.js";
import { notify } from "./notify.js";
import { schedule } from "./schedule.js";
import { tokens } from "./tokens.js";
import { wanted } from "../late.js";

export function details() {
  const { value, error } = wanted("settings");
  if (error) return failure(error);
  if (!value) return loading();
  return [
    schedule(value),
    doctor(),
    notify(),
    fold("settings", texts.title, () => all(value)),
    recovery(),
    may("manage_tokens") && tokens(),
  ];
}

/** What was set first; the rest is as it comes. */
function all({ settings }) {
  const asItComes = settings.filter(({ origin }) => origin === "default");
  return html`<p class="quiet">${texts.about}</p>
    ${list(settings.filter(({ origin }) => origin !== "default"))}
    <details key="defaults">
      <summary>${texts.defaults(asItComes.length)}</summary>
      ${list(asItComes)}
    </details>`;
}

function list(settings) {
  return html`<dl class="settings">
    ${settings.map(
      ({ name, about, value, origin }) => html`<div key=${name} title=${about}>
        <dt><code>${name}</code></dt>
        <dd>${shown(value)} <span class="quiet">${texts.origins[origin] ?? origin}</span></dd>
      </div>`,
    )}
  </dl>`;
}

const shown = (value) => (value === "set" ? texts.set : html`<code>${value || "–"}</code>`);

function recovery() {
  const { kit: href } = document.documentElement.dataset;
  return html`<section class="sub" aria-labelledby="kit-title">
    <h3 id="kit-title">${kit.title}</h3>
    <p>${kit.about}</p>
    <p><a class="button" href=${href}>${kit.open}</a></p>
  </section>`;
}
