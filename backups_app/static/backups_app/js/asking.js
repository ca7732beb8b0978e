/** Questions before something is done: which is open, and what was typed so far. */

import { post } from "./api.js";
import { place } from "./looking.js";
import { learn, learnNow, state } from "./state.js";

/** `kind` names the module of the question, `about` is what it asks about. */
export function ask(kind, about) {
  learn({ dialog: { kind, about, typed: "", sure: false, preview: null, previewError: null } });
  if (kind === "restore") count(about);
}

export const answer = (facts) => learnNow({ dialog: { ...state.dialog, ...facts } });
export const leaveQuestion = () => learn({ dialog: null });

/** A backup's name in words that are short to type: the day in its name, in UTC. */
export function wordOf({ key }) {
  return key.match(/(\d{4}-\d\d-\d\d)T[\dZ-]+\.tar\.gz$/)?.[1] ?? key;
}

/** What the restore would do, in numbers; nothing is changed by asking. */
async function count({ backup, entry }) {
  const asked = state.dialog;
  const entries = entry && [place(entry)];
  const body = { backupKey: backup.key, limit: 0, ...(entries && { entries }) };
  const facts = await post("preview-restore", body).then(
    (preview) => ({ preview }),
    (previewError) => ({ previewError }),
  );
  if (state.dialog?.about === asked.about) answer(facts);
}
