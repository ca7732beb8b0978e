/** What a person can do here. Each asks the server and says how that went. */

import { post } from "./api.js";
import * as dialog from "./dialog.js";
import { refreshAll, refreshHistory, refreshStatus } from "./refresh.js";
import { learn, state, takeJobs } from "./state.js";
import { madeAt } from "./verdict.js";

export const actions = {
  refresh: () => refreshAll(),
  showHistory: (offset) => refreshHistory(offset),
  backUp: () => start("backup", "trigger"),
  verify: (backup) => start("verify", "verify", { backupKey: backup.key }),
  askRestore: (backup) =>
    dialog.askRestore(backup, madeAt(backup), () =>
      start("restore", "restore", { backupKey: backup.key }),
    ),
  askCancel: (job) => dialog.askCancel(job, () => send("cancel", `jobs/${job.id}/cancel`)),
  dismiss: () => learn({ notice: null }),
};

async function start(kind, path, body) {
  if (!(await send(kind, path, body))) return;
  document.getElementById("now-title").focus(); // the button that was pressed is gone now
}

/** True when the server took it. A refusal is shown, and the job in the way with it. */
async function send(name, path, body) {
  if (state.sending) return false;
  learn({ sending: name, notice: null });
  try {
    takeJob(await post(path, body));
    return true;
  } catch (error) {
    takeJob(error);
    learn({ notice: error });
    return false;
  } finally {
    learn({ sending: null });
    refreshStatus();
    refreshHistory();
  }
}

function takeJob({ job }) {
  if (job) takeJobs([job]);
}
