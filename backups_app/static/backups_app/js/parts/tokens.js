/** API tokens: who has one, taking it back, and making one, which is shown once. */

import { now, post } from "../api.js";
import { again, wanted } from "../late.js";
import { ago, moment, when } from "../format.js";
import { loginTooOld } from "../may.js";
import { learn, state } from "../state.js";
import { tokens as texts } from "../texts/setup.js";
import { html } from "../view.js";
import { fold } from "./fold.js";
import { copyButton, empty, failure, loading } from "./pieces.js";
import { signInAgain } from "./top.js";

const ROLES = ["viewer", "operator", "restorer", "admin"];

export function tokens() {
  return fold("tokens", texts.title, () => {
    const { value, error } = wanted("tokens");
    if (error) return failure(error);
    if (!value) return loading();
    return [list(value.tokens), made(), loginTooOld() ? html`<p>${signInAgain()}</p>` : maker()];
  });
}

function list(all) {
  const living = all.filter(({ revokedAt }) => !revokedAt).slice(0, 50);
  if (living.length === 0) return empty(texts.none);
  return html`<ul class="rows">
    ${living.map(
      (one) => html`<li key=${one.id} class="row">
        <div class="row-line">
          <p class="row-what">
            <strong>${one.name}</strong>
            <span class="quiet">
              ${one.role} · ${texts.used}: ${used(one)} · ${texts.expires}:
              ${one.expiresAt ? when(one.expiresAt, moment(one.expiresAt)) : texts.never}
            </span>
          </p>
          <p class="row-actions">
            <button
              type="button"
              aria-label=${texts.revokeLabel(one.name)}
              onclick=${() => send(`tokens/${one.id}/revoke`)}
            >
              ${texts.revoke}
            </button>
          </p>
        </div>
      </li>`,
    )}
  </ul>`;
}

const used = ({ lastUsedAt }) =>
  lastUsedAt ? when(lastUsedAt, ago(lastUsedAt, now())) : texts.never;

function made() {
  const token = state.data.get("new token");
  if (!token) return null;
  return html`<div class="message good">
    <p class="message-body">
      ${texts.made(token.name)} <code>${token.token}</code> ${copyButton(token.token, token.name)}
    </p>
  </div>`;
}

function maker() {
  const submit = async (event) => {
    event.preventDefault();
    const { name, role, days } = event.target.elements;
    await send("tokens", { name: name.value, role: role.value, days: Number(days.value) });
  };
  return html`<form class="inline" onsubmit=${submit}>
    <label>${texts.name} <input name="name" required maxlength="100" /></label>
    <label>
      ${texts.role}
      <select name="role">
        ${ROLES.map((role) => html`<option>${role}</option>`)}
      </select>
    </label>
    <label>${texts.days} <input name="days" type="number" min="1" max="3650" defaultValue="90" /></label>
    <button type="submit">${texts.make}</button>
  </form>`;
}

async function send(path, body) {
  learn({ notice: null });
  await post(path, body).then(
    (answer) => answer.token && state.data.set("new token", answer),
    (notice) => learn({ notice }),
  );
  await again("tokens");
}
