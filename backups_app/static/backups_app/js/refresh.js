/** Reads from the API into the state, and decides when it is time to read again. */

import { get, now } from "./api.js";
import { currentJob, learn, PAGE_SIZE, state, takeJobs } from "./state.js";

const CALM = 30_000; // ms between reads of the status while messages come by themselves
const SILENT = 10_000; // a running job that says nothing for so long is asked about
const POLL = 5_000; // without live messages
const POLL_FAILING = 15_000;

export async function refreshStatus() {
  try {
    const status = await get("status");
    const news = state.status && state.status.lastSuccess !== status.lastSuccess;
    if (news) refreshBackups();
    if (status.currentJob) takeJobs([status.currentJob]);
    learn({ status, statusError: null, statusAt: now() });
  } catch (error) {
    learn({ statusError: error });
  }
}

export async function refreshBackups() {
  try {
    const { backups } = await get("list");
    learn({
      backups,
      backupsError: null,
      backupsOffset: backups.length > state.backupsOffset ? state.backupsOffset : 0,
    });
  } catch (error) {
    learn({ backupsError: error });
  }
}

export async function refreshHistory(offset = state.historyOffset) {
  try {
    const { count, jobs } = await get(`jobs?limit=${PAGE_SIZE}&offset=${offset}`);
    takeJobs(jobs);
    learn({
      history: { count, ids: jobs.map((job) => job.id) },
      historyOffset: offset,
      historyError: null,
    });
  } catch (error) {
    learn({ historyError: error });
  }
}

export function refreshAll() {
  return Promise.all([refreshStatus(), refreshBackups(), refreshHistory()]);
}

/** Calls itself for ever: messages may be lost, so the page never trusts them alone. */
export async function keepFresh() {
  await new Promise((resolve) => setTimeout(resolve, pause()));
  const live = state.connection === "live";
  const wasBroken = state.statusError !== null;
  await (live ? refreshStatus() : Promise.all([refreshStatus(), refreshHistory()]));
  if (wasBroken && !state.statusError) await refreshAll();
  keepFresh();
}

function pause() {
  if (state.statusError) return POLL_FAILING * (0.5 + Math.random() / 2);
  if (state.connection !== "live") return POLL;
  const silent = currentJob() && now() - state.heardAt > SILENT;
  return silent ? POLL : currentJob() ? SILENT : CALM;
}
