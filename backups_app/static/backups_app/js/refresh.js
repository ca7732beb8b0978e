/** Reads from the API into the state, and decides when it is time to read again. */

import { get, now } from "./api.js";
import { renew } from "./late.js";
import { PLAN, PLANS, statusOf } from "./plan.js";
import { activeJobs, currentJob, learn, PAGE_SIZE, state, takeJobs } from "./state.js";

const CALM = 30_000; // ms between reads of the status while messages come by themselves
const SILENT = 10_000; // a running job that says nothing for so long is asked about
const POLL = 5_000; // without live messages
const POLL_FAILING = 15_000;

/** What in the status tells that the list of backups is no longer as it was. */
const telling = ({ lastSuccess, lastVerified, lastProven, counts }) =>
  JSON.stringify([lastSuccess, lastVerified, lastProven, counts.backups]);

export async function refreshStatus() {
  try {
    const status = await get("status");
    if (state.status && telling(state.status) !== telling(status)) refreshBackups();
    if (status.currentJob) takeJobs([status.currentJob]);
    await settle(status.currentJob);
    learn({ status, statusError: null, statusAt: now() });
  } catch (error) {
    learn({ statusError: error });
  }
}

/** Jobs that run as far as we know, and that the status does not name, have ended unheard. */
async function settle(current) {
  const unheard = activeJobs().filter(({ id }) => id !== current?.id);
  takeJobs(await Promise.all(unheard.map(({ id }) => get(`jobs/${id}`))));
  if (unheard.length) await Promise.all([refreshHistory(), renew("jobs/days", "jobs/series")]);
}

/** The status knows of the bucket what the list has seen, so it is asked after it. */
export async function refreshBackups() {
  try {
    const { backups } = await get("list");
    const backupsOffset = backups.length > state.backupsOffset ? state.backupsOffset : 0;
    learn({ backups, backupsError: null, backupsOffset });
    renew("retention");
  } catch (error) {
    learn({ backupsError: error });
  }
}

export async function refreshHistory(offset = state.historyOffset) {
  try {
    const page = { limit: PAGE_SIZE, offset, ...state.filter };
    const { count, jobs } = await get("jobs", page);
    takeJobs(jobs);
    const ids = jobs.map((job) => job.id);
    learn({ history: { count, ids }, historyOffset: offset, historyError: null });
  } catch (error) {
    learn({ historyError: error });
  }
}

/** The status first, so that something is said at once, and again when the bucket was seen. */
export async function refreshAll() {
  await Promise.all([refreshStatus(), refreshBackups(), refreshHistory()]);
  await refreshStatus();
}

/** Calls itself for ever: messages may be lost, so the page never trusts them alone. */
export async function keepFresh() {
  await new Promise((resolve) => setTimeout(resolve, pause()));
  const live = state.connection === "live";
  renew(...PLANS.filter((name) => name !== PLAN).map(statusOf));
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
