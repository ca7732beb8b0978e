/**
 * What the page knows. Everything shown is drawn from this one object; whoever learns something
 * calls `learn` or `takeJobs`, and the page is drawn again, once, soon.
 */

export const PAGE_SIZE = 10;
const ACTIVE = new Set(["PENDING", "RUNNING"]);

export const state = {
  status: null, // answer of GET status
  statusError: null, // ApiError of the last try, null when it went well
  statusAt: 0, // ms, when the status was last read
  backups: null, // list of GET list
  backupsError: null,
  backupsOffset: 0,
  history: null, // { count, ids } of the page shown
  historyError: null,
  historyOffset: 0,
  jobs: new Map(), // id -> newest revision seen
  watched: null, // id of the last job seen active on this page
  connection: "connecting", // connecting | live | polling
  heardAt: 0, // ms, when the last message about a job came
  sending: null, // name of the action on its way to the server
  notice: null, // ApiError of the last action, null when it went well
};

let redraw = () => {};
let waiting = false;

/** Calls `draw` soon after every change; a timer, since frames stop in a hidden tab and its title must not. */
export function onChange(draw) {
  redraw = draw;
}

/** Takes over new facts. */
export function learn(facts) {
  Object.assign(state, facts);
  if (waiting) return;
  waiting = true;
  setTimeout(() => {
    waiting = false;
    redraw();
  }, 30);
}

/** Takes over jobs, but never an older revision: messages and answers may overtake each other. */
export function takeJobs(jobs) {
  for (const job of jobs) {
    if (job.revision < (state.jobs.get(job.id)?.revision ?? 0)) continue;
    state.jobs.set(job.id, job);
    if (isActive(job)) state.watched = job.id;
  }
  learn({});
}

export function isActive(job) {
  return ACTIVE.has(job.state);
}

/** The job that waits or runs, or null. */
export function currentJob() {
  return [...state.jobs.values()].find(isActive) ?? null;
}
