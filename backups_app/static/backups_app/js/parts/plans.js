/** The plans, where there are several: each with its colour and its word, this page's marked. */

import { wanted } from "../late.js";
import { PLAN, PLANS, statusOf } from "../plan.js";
import { plans as texts, tabTitles } from "../texts/verdict.js";
import { html } from "../view.js";
import { level } from "./top.js";

export function plans() {
  if (!PLANS.length) return null;
  return html`<nav class="plans" aria-label=${texts.title}>
    <ul>
      ${PLANS.map(one)}
    </ul>
  </nav>`;
}

function one(name) {
  const here = name === PLAN;
  const found = here ? level() : levelOf(name);
  return html`<li key=${name}>
    <a class=${`plan ${found}`} href=${`?plan=${encodeURIComponent(name)}`} aria-current=${here ? "page" : null}>
      <strong>${name}</strong> ${found ? tabTitles[found] : texts.asking}
    </a>
  </li>`;
}

/** Of another plan: empty until it was told. */
function levelOf(name) {
  const { value, error } = wanted(statusOf(name));
  if (error) return "unknown";
  return value ? value.verdict.level : "";
}
