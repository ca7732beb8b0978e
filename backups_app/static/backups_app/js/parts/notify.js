/** The button that sends a test message, and what came of it at each address. */

import { post } from "../api.js";
import { may } from "../may.js";
import { learn, state } from "../state.js";
import { notify as texts } from "../texts/setup.js";
import { html } from "../view.js";
import { icon } from "./pieces.js";

export function notify() {
  if (!may("start_job")) return null;
  const sending = state.sending === "notify";
  return html`<section class="sub" aria-labelledby="notify-title" key="notify">
    <h3 id="notify-title">${texts.title}</h3>
    <p class="quiet">${texts.about}</p>
    ${deliveries(state.data.get("deliveries"))}
    <p>
      <button type="button" class="small" disabled=${state.sending !== null} onclick=${test}>
        ${sending ? texts.testing : texts.test}
      </button>
    </p>
  </section>`;
}

function deliveries(told) {
  if (!told) return null;
  return html`<ul class="findings" role="status">
    ${told.map(
      ({ address, taken, reason }) => html`<li key=${address}>
        ${icon(taken ? "good" : "bad")}
        <span>
          ${taken ? texts.taken(address) : texts.refused(address)}
          ${reason && html`<span class="hint" lang="en"> ${reason}</span>`}
        </span>
      </li>`,
    )}
  </ul>`;
}

async function test() {
  learn({ sending: "notify", notice: null });
  await post("notify/test").then(
    (answer) => state.data.set("deliveries", answer.deliveries),
    (notice) => learn({ notice }),
  );
  learn({ sending: null });
}
