/** The warnings of a job, folded away: they never stop a run, but nothing is hidden. */

import { h } from "./dom.js";
import { words } from "./texts.js";

const SHOWN = 50;

export function warningList(job) {
  if (!job.warningCount) return null;
  const shown = job.warnings.slice(0, SHOWN);
  const more = job.warningCount - shown.length;
  return h("details", { class: "warnings", key: `warnings ${job.id}` }, [
    h("summary", null, words.now.warnings(job.warningCount)),
    h(
      "ul",
      null,
      shown.map(line),
      more > 0 && h("li", { class: "quiet" }, words.now.warningsMore(more)),
    ),
  ]);
}

function line({ path, message }) {
  return h("li", null, path && h("code", null, path), path && " ", message);
}
