/** Backups: what can be restored. One line each, and all else under "More". */

import { now } from "../api.js";
import { ask } from "../asking.js";
import { ago, bytes, moment, when } from "../format.js";
import { madeAt } from "../made.js";
import { may } from "../may.js";
import { currentJob, learn, PAGE_SIZE, state, toggle } from "../state.js";
import { backups as texts } from "../texts/backups.js";
import { html } from "../view.js";
import { details } from "./backup.js";
import { empty, failure, folder, icon, loading, pager } from "./pieces.js";
import { copies } from "./undo.js";

export function backups() {
  const { backups: all, backupsError: error } = state;
  return [
    error && failure(error, texts.failed),
    !all && !error && loading(texts.loading),
    all?.length === 0 && !error && empty(texts.empty, texts.emptyHint),
    all?.length > 0 && [hint(), list(all), pages(all)],
    copies(),
  ];
}

function hint() {
  if (!may("restore_backup")) return html`<p class="quiet">${texts.mayNot("restorer")}</p>`;
  return currentJob() && html`<p class="quiet">${texts.blocked}</p>`;
}

function list(all) {
  const from = Math.min(state.backupsOffset, all.length - 1);
  return html`<ul class="rows">
    ${all.slice(from, from + PAGE_SIZE).map(row)}
  </ul>`;
}

function pages(all) {
  const { backupsOffset: offset } = state;
  const show = (backupsOffset) => learn({ backupsOffset });
  return pager({ title: texts.title, offset, size: PAGE_SIZE, total: all.length, show });
}

function row(backup) {
  const made = madeAt(backup);
  const open = state.open.has(backup.key);
  const id = `more-${backup.key}`;
  return html`<li key=${backup.key} class="row">
    <div class="row-line">
      <p class="row-what">
        <strong>${when(made, moment(made))}</strong>
        <span class="quiet">${ago(made, now())} · ${bytes(backup.size)}</span>
      </p>
      <p class="marks">${marks(backup)}</p>
      <p class="row-actions">
        ${may("restore_backup") && restoreButton(backup, made)}
        ${folder({
          open,
          label: texts.of(moment(made)),
          controls: id,
          onclick: () => toggle(backup.key),
        })}
      </p>
    </div>
    <div id=${id}>${open && details(backup, made)}</div>
  </li>`;
}

function restoreButton(backup, made) {
  return html`<button
    type="button"
    aria-label=${texts.restoreLabel(moment(made))}
    disabled=${state.sending !== null || currentJob() !== null}
    onclick=${() => ask("restore", { backup, entry: null, made })}
  >
    ${texts.restore}
  </button>`;
}

/** What is known of it beyond its being there; a warning has its picture, and is not only red. */
function marks({ damaged, proven, verified, pinned, metadata, warnings }) {
  const plain = warnings?.some(({ code }) => code === "NOT_ENCRYPTED");
  return [
    damaged && mark("bad", texts.marks.damaged, "bad"),
    !metadata && mark("attention", texts.foreign, "attention"),
    plain && mark("attention", texts.marks.plain, "attention"),
    !damaged && proven && mark("good", texts.marks.proven, "good"),
    !damaged && !proven && verified && mark("good", texts.marks.verified, "good"),
    pinned && mark("", texts.marks.pinned),
    metadata?.encrypted && mark("", texts.marks.encrypted),
  ];
}

function mark(level, text, picture) {
  return html`<span class="mark ${level}">${picture && icon(picture)}${text}</span>`;
}
