/** What the service's own check found, what is wrong first, and the button that runs it. */

import { now, post } from "../api.js";
import { again, wanted } from "../late.js";
import { ago, sentence, when } from "../format.js";
import { may } from "../may.js";
import { learn, state } from "../state.js";
import { doctor as texts } from "../texts/setup.js";
import { html } from "../view.js";
import { failure, icon, loading, withNames } from "./pieces.js";

const MOST = 120; // seconds that a visit is waited for
const PICTURES = { ok: "good", note: "attention", bad: "bad" };

export function doctor() {
  const { value, error } = wanted("doctor");
  return html`<section class="sub" aria-labelledby="doctor-title" key="doctor">
    <h3 id="doctor-title">${texts.title}</h3>
    <p class="quiet">${texts.about}</p>
    ${error && failure(error)} ${value && report(value)} ${may("start_job") && button()}
  </section>`;
}

function report({ state: how, doneAt, findings }) {
  if (isAtIt({ state: how })) return loading(texts.running);
  if (!doneAt) return html`<p>${texts.never}</p>`;
  const well = findings.filter(({ level }) => level === "ok");
  const rest = findings.filter(({ level }) => level !== "ok");
  rest.sort((one, other) => one.level.localeCompare(other.level));
  return html`<p>${when(doneAt, texts.at(ago(doneAt, now())))}</p>
    <ul class="findings">
      ${rest.map(finding)}
    </ul>
    <details key="well">
      <summary>${texts.wellFolded(well.length)}</summary>
      <ul class="findings">
        ${well.map(finding)}
      </ul>
    </details>`;
}

function finding({ level, about, text, hint }) {
  return html`<li key=${`${about} ${text}`} class=${level}>
    ${icon(PICTURES[level])}
    <span>
      <span class="sr-only">${texts.levels[level]}: </span><strong>${about}</strong>:
      <span lang="en"> ${sentence(text)}</span> ${hint && html`<span class="hint"> ${withNames(hint)}</span>`}
    </span>
  </li>`;
}

function button() {
  return html`<p>
    <button type="button" class="small" disabled=${state.sending !== null} onclick=${run}>
      ${texts.run}
    </button>
  </p>`;
}

/** A worker makes the visit: asked again until it has, or until nobody is there to make it. */
async function run() {
  learn({ sending: "doctor", notice: null });
  await post("doctor").catch((notice) => learn({ notice }));
  for (let asked = 0; asked < MOST; asked += 1) {
    await again("doctor");
    if (!isAtIt(state.data.get("doctor").value)) break;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  learn({ sending: null });
}

const isAtIt = (visit) => ["waiting", "running"].includes(visit?.state);
