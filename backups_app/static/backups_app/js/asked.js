/** Addresses that lead to one job or one backup: /#/jobs/ID and /#/backups/KEY. */

import { get } from "./api.js";
import { isOurs, PLANS } from "./plan.js";
import { learn, PAGE_SIZE, state, takeJobs } from "./state.js";

/** Unfolds what the address names, and goes there. To be called once the lists are there. */
export async function showAsked() {
  const [, kind, name] = decodeURIComponent(location.hash).match(/^#\/(jobs|backups)\/(.+)$/) ?? [];
  if (!kind) return;
  await (kind === "jobs" ? bringJob(name) : bringBackup(name));
  learn({ open: new Set([...state.open, name]) });
  const section = kind === "jobs" ? "history" : "backups";
  document.getElementById(`${section}-title`).focus();
  setTimeout(() => rowOf(kind, name)?.scrollIntoView({ block: "center" }), 100);
}

const rowOf = (kind, name) =>
  document.getElementById(kind === "jobs" ? `job-${name}` : `more-${name}`)?.parentElement;

/** A job of long ago is shown before the page of the newest ones. */
async function bringJob(id) {
  if (state.history?.ids.includes(id)) return;
  await get(`jobs/${id}`).then(
    (job) => {
      if (!isOurs(job) && PLANS.includes(job.plan)) {
        location.assign(`?plan=${job.plan}#/jobs/${id}`);
      }
      takeJobs([job]);
      const { count, ids } = state.history ?? { count: 1, ids: [] };
      learn({ history: { count, ids: [id, ...ids] } });
    },
    (notice) => learn({ notice }),
  );
}

function bringBackup(key) {
  const at = (state.backups ?? []).findIndex((one) => one.key === key);
  if (at >= 0) learn({ backupsOffset: at - (at % PAGE_SIZE) });
}
