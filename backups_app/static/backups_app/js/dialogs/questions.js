/** The question that is open, by its kind. Each draws a form; confirming it does the thing. */

import { leaveQuestion } from "../asking.js";
import { state } from "../state.js";
import { html } from "../view.js";
import { Modal } from "./modal.js";
import { cancelQuestion, confirmQuestion, removeQuestion, undoQuestion } from "./plain.js";
import { restoreQuestion } from "./restore.js";

const FORMS = {
  restore: restoreQuestion,
  undo: undoQuestion,
  cancel: cancelQuestion,
  remove: removeQuestion,
  confirm: confirmQuestion,
};

export function questions() {
  const { dialog } = state;
  if (!dialog) return null;
  return html`<${Modal}
    id="dialog"
    key=${dialog.kind}
    label="dialog-title"
    back="backups-title"
    leave=${leaveQuestion}
  >
    ${FORMS[dialog.kind](dialog)}
  <//>`;
}
