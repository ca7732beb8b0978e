/** What a person can do here. Each asks the server and says how that went. */

import { download as fetchFile, post } from "./api.js";
import { leave } from "./looking.js";
import { refreshBackups, refreshHistory, refreshStatus } from "./refresh.js";
import { learn, state, takeJobs } from "./state.js";

export const backUp = () => start("backup", "trigger");
export const verify = ({ key }) => start("verify", "verify", { backupKey: key });
export const drill = ({ key }) => start("drill", "drill", { backupKey: key });
export const undo = () => start("undo", "undo");
export const restore = ({ key }, confirm, entries) =>
  start("restore", "restore", { backupKey: key, confirm, ...(entries && { entries }) });
export const cancel = (job) => send("cancel", `jobs/${job.id}/cancel`);
export const pause = () => send("pause", "schedule/pause");
export const resume = () => send("resume", "schedule/resume");
export const dismiss = () => learn({ notice: null });
export const dismissEnded = () => learn({ watched: null });

export async function pin({ key }, pinned) {
  if (await send("pin", "pin", { backupKey: key, pinned })) await refreshBackups();
}

export async function remove({ key }, confirm) {
  if (await send("delete", "delete", { backupKey: key, confirm })) await refreshBackups();
}

export async function confirmShrunk() {
  if (await send("confirm", "retention/confirm")) await refreshBackups();
}

export async function download(path) {
  learn({ notice: null });
  await fetchFile(path).catch((notice) => learn({ notice }));
}

async function start(kind, path, body) {
  leave(); // what happens now is shown behind it
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
