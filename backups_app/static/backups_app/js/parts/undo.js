/** What the last restore replaced, and the way back to it; the list of all that is kept. */

import { ask } from "../asking.js";
import { bytes, moment, when } from "../format.js";
import { may } from "../may.js";
import { currentJob, state } from "../state.js";
import { backups as texts } from "../texts/backups.js";
import { undo as words } from "../texts/now.js";
import { html } from "../view.js";

/** Nothing while a job runs, or when nothing is kept. */
export function undo() {
  const copy = state.status?.safetyCopies?.[0];
  if (!copy || currentJob()) return null;
  return html`<div class="undo" key=${copy.name}>
    <p>
      ${kept(copy)}: <code>${copy.path}</code>.
      ${copy.replacedBy && [" ", words.replacedBy(nameOf(copy.replacedBy))]}
    </p>
    ${may("restore_backup") &&
    html`<p class="actions">
      <button type="button" disabled=${state.sending !== null} onclick=${() => ask("undo", copy)}>
        ${words.button}
      </button>
    </p>`}
  </div>`;
}

/** Folded, below the backups: they take room on the disk, and people ask what they are. */
export function copies() {
  const all = state.status?.safetyCopies ?? [];
  if (all.length === 0) return null;
  return html`<details class="copies" key="copies">
    <summary>${texts.copies(all.length)}</summary>
    <p class="quiet">${texts.copiesHint}</p>
    <ul>
      ${all.map(
        (copy) => html`<li key=${copy.name}>
          <code>${copy.path}</code> · ${when(copy.time, moment(copy.time))}
          ${copy.size != null && ` · ${bytes(copy.size)}`}
        </li>`,
      )}
    </ul>
  </details>`;
}

function kept(copy) {
  const text = copy.partial ? words.keptPart : words.kept;
  return when(copy.time, text(moment(copy.time)));
}

const nameOf = (key) => key.slice(key.lastIndexOf("/") + 1);
