/**
 * What the page knows. Everything shown is drawn from this one object; whoever learns something
 * calls `learn` or `takeJobs`, and the page is drawn again, once, soon.
 */

export const PAGE_SIZE = 10;
const ACTIVE = new Set(["PENDING", "RUNNING"]);
const ENDED_SHOWN = 3_600_000; // ms that the end of a job stays under "Now"

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
  filter: { kind: "", state: "" }, // of the history
  jobs: new Map(), // id -> newest revision seen
  watched: null, // id of the last job seen active on this page
  logs: new Map(), // job id -> { lines, next, error, loading }
  connection: "connecting", // connecting | live | polling
  heardAt: 0, // ms, when the last message about a job came
  sending: null, // name of the action on its way to the server
  open: new Set(), // what is unfolded: keys of backups, ids of jobs, names of parts
  late: new Map(), // name -> what a part that is loaded on demand exports, or its Error
  data: new Map(), // name -> { value, error, loading } of what such a part asks for
  look: null, // what the files dialog shows, see looking.js
  dialog: null, // the question that is open, see asking.js
  notice: null, // { level, message, hint, code } of the last action, null when it went well
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

/** The same at once: what is typed must count before the next key is pressed. */
export function learnNow(facts) {
  Object.assign(state, facts);
  redraw();
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

export function activeJobs() {
  return [...state.jobs.values()].filter(isActive);
}

/** The job that waits or runs, or null. */
export function currentJob() {
  return activeJobs()[0] ?? null;
}

/** The job whose end was seen on this page not long ago, or null. */
export function endedJob(now) {
  const job = state.jobs.get(state.watched);
  if (!job || isActive(job)) return null;
  return now - Date.parse(job.finishedAt ?? job.createdAt) < ENDED_SHOWN ? job : null;
}

/** Folds or unfolds a part. */
export function toggle(name) {
  const open = new Set(state.open);
  if (!open.delete(name)) open.add(name);
  learn({ open });
}
