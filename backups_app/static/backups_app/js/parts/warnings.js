/** The warnings of a job, folded away: they never stop a run, but nothing is hidden. */

import { now as texts } from "../texts/now.js";
import { html } from "../view.js";

const SHOWN = 50;

export function warningList(job) {
  if (!job.warningCount) return null;
  const shown = job.warnings.slice(0, SHOWN);
  const more = job.warningCount - shown.length;
  return html`<details class="warnings" key=${`warnings ${job.id}`}>
    <summary>${texts.warnings(job.warningCount)}</summary>
    <ul>
      ${shown.map(line)} ${more > 0 && html`<li class="quiet">${texts.warningsMore(more)}</li>`}
    </ul>
  </details>`;
}

function line({ path, message }) {
  return html`<li>${path && [html`<code>${path}</code>`, " "]}${message}</li>`;
}
