/** One backup unfolded: all that is known of it, and all that can be done with it. */

import { drill, pin, verify } from "../actions.js";
import { now } from "../api.js";
import { ask } from "../asking.js";
import { isEnglish } from "../catalog.js";
import { ago, bytes, capital, count, moment, seconds, sentence, when } from "../format.js";
import { wanted } from "../late.js";
import { compare, look } from "../looking.js";
import { madeAt } from "../made.js";
import { may } from "../may.js";
import { currentJob, state } from "../state.js";
import { backups as texts } from "../texts/backups.js";
import { explain } from "../texts/common.js";
import { html } from "../view.js";
import { copyButton, fact } from "./pieces.js";

export function details(backup, made) {
  return html`<div class="row-more">
    <dl class="facts">${facts(backup)}</dl>
    <p class="actions">${buttons(backup, moment(made))}</p>
    <p class="quiet">${texts.explained}</p>
  </div>`;
}

function facts(backup) {
  const { metadata: about, damaged, proven, verified, warnings } = backup;
  const names = texts.facts;
  return [
    damaged && fact(names.damaged, html`<span class="bad">${sentence(explain(damaged).text)}</span>`),
    fact(names.data, bytes(about?.dataSize)),
    fact(names.files, count(about?.fileCount)),
    fact(names.size, bytes(backup.size)),
    about?.bytesSent != null && fact(names.changed, bytes(about.bytesSent)),
    about?.downtimeSeconds > 0 && fact(names.downtime, seconds(about.downtimeSeconds)),
    fact(names.verified, proof(verified)),
    fact(names.proven, proof(proven)),
    kept(backup),
    warnings?.length > 0 &&
      fact(names.warnings, warnings.map((one) => sentence(explain(one).text)).join(" ")),
    fact(names.name, html`<code>${backup.key}</code> `, copyButton(backup.key, names.name)),
  ];
}

const proof = (one) => (one ? when(one.at, ago(one.at, now())) : texts.never);

function kept({ key }) {
  const told = wanted("retention").value?.backups.find((one) => one.key === key);
  if (!told) return fact(texts.facts.kept, texts.askingKept);
  const name = told.keep ? texts.facts.kept : texts.facts.goes;
  const reasons = told.codes.map((code) => texts.why[code]).filter(Boolean);
  return fact(name, sentence(capital(isEnglish ? told.reason : reasons.join("; "))));
}

function buttons(backup, time) {
  const blocked = state.sending !== null || currentJob() !== null;
  const at = state.backups.indexOf(backup);
  const before = state.backups[at + 1] ?? null;
  return [
    button(texts.files, texts.filesLabel(time), () => look(backup, before)),
    state.backups.length > 1 && comparison(backup, before, time),
    may("start_job") &&
      button(texts.verify, texts.verifyLabel(time), () => verify(backup), blocked),
    may("start_job") && button(texts.drill, texts.drillLabel(time), () => drill(backup), blocked),
    pinning(backup, time),
    may("delete_backup") && at > 0 && !backup.pinned &&
      button(texts.remove, texts.removeLabel(time), () => ask("remove", backup), blocked),
  ];
}

function pinning(backup, time) {
  if (backup.pinned) {
    const ask = () => pin(backup, false);
    return may("delete_backup") && button(texts.unpin, texts.unpinLabel(time), ask);
  }
  return may("keep_backup") && button(texts.pin, texts.pinLabel(time), () => pin(backup, true));
}

function button(text, label, onclick, disabled = false) {
  return html`<button
    type="button"
    aria-label=${label}
    disabled=${disabled || state.sending !== null}
    onclick=${onclick}
  >
    ${text}
  </button>`;
}

/** Any two: the choice is a list of the others. */
function comparison(backup, before, time) {
  const chosen = ({ target }) => {
    const other = state.backups.find(({ key }) => key === target.value);
    target.value = "";
    if (other) compare(backup, other, before);
  };
  const others = state.backups.filter((one) => one !== backup).slice(0, 100);
  return html`<select aria-label=${texts.compareLabel(time)} onchange=${chosen}>
    <option value="">${texts.compare}</option>
    ${others.map((one) => html`<option value=${one.key}>${moment(madeAt(one))}</option>`)}
  </select>`;
}
