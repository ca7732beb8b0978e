/**
 * Is the data safe? One level, one sentence, and every reason with what to do about it.
 * Pure: the same facts always give the same verdict.
 */

import { ago, upcoming } from "./format.js";
import { words } from "./texts.js";

const DAY = 86_400_000; // ms
const GRACE = DAY / 2; // a late or long run is not yet a missed one
const LEVELS = ["good", "attention", "bad"];
const BROKEN = new Set(["FAILED", "LOST"]);

/**
 * `status`, `backups` and `backupsError` as in state.js, `now` in ms.
 * Returns { level: good|attention|bad, title, since, reasons: [{ level, text, hint, variable? }] },
 * worst reason first.
 */
export function judge({ status, backups, backupsError, now }) {
  const newest = newestBackup(status, backups);
  const reasons = [
    ...problems(status, newest, now),
    ...storage(status, backupsError),
    ...age(status, newest, now),
    ...lastRun(status, newest),
    ...workers(status),
    ...local(status),
    ...schedule(status),
  ].sort((one, other) => LEVELS.indexOf(other.level) - LEVELS.indexOf(one.level));
  const level = reasons[0]?.level ?? "good";
  const since = words.verdict.since(newest && ago(newest, now), next(status, now));
  return { level, title: words.verdict.title(level, reasons[0]?.text ?? since), since, reasons };
}

/** The bucket is the catalogue: what lies in it counts, whatever the job rows tell. */
function newestBackup(status, backups) {
  if (!backups) return status.lastSuccess;
  return backups.length > 0 ? madeAt(backups[0]) : null;
}

/** When a backup was made: its metadata's time when that is readable, else the object's. */
export function madeAt(backup) {
  const stamp = backup.metadata?.timestamp;
  return stamp && !Number.isNaN(Date.parse(stamp)) ? stamp : backup.lastModified;
}

function next(status, now) {
  return status.enabled && status.nextRun ? upcoming(status.nextRun, now) : null;
}

/** A wrong setting stops every run; what lies in the bucket already is still there. */
function problems(status, newest, now) {
  const level = newest && now - Date.parse(newest) < period(status) + GRACE ? "attention" : "bad";
  return status.problems.map(({ variable, message, hint }) => ({
    level,
    variable,
    text: message,
    hint,
  }));
}

function storage(status, error) {
  if (!error || status.problems.length > 0) return [];
  return [{ level: "attention", text: error.message, hint: error.hint }];
}

function age(status, newest, now) {
  if (!newest) return [{ level: "bad", ...firstBackup(status) }];
  const old = now - Date.parse(newest);
  const limit = period(status) + GRACE;
  if (old < limit) return [];
  const level = old < 3 * limit ? "attention" : "bad";
  return [{ level, ...words.verdict.old(ago(newest, now)) }];
}

function firstBackup(status) {
  if (status.problems.length > 0) return words.verdict.noneYet;
  return status.inProgress ? words.verdict.firstRunning : words.verdict.pressFirst;
}

function lastRun(status, newest) {
  const job = status.lastBackup;
  if (!job || !BROKEN.has(job.state)) return [];
  if (newest && Date.parse(newest) > Date.parse(job.createdAt)) return [];
  const { message = "", hint = "" } = job.error ?? {};
  return [{ level: "attention", text: words.verdict.lastFailed(message), hint }];
}

function workers(status) {
  return status.workersAlive === 0 ? [{ level: "attention", ...words.verdict.noWorker }] : [];
}

function local(status) {
  return status.storageLocal ? [{ level: "attention", ...words.verdict.local }] : [];
}

function schedule(status) {
  return status.enabled ? [] : [{ level: "attention", ...words.verdict.scheduleOff }];
}

/**
 * The longest usual pause between two runs of a cron line, in ms, rather too long than too short:
 * a month when days of the month or months are named, a week for weekdays, else a day.
 */
export function period(status) {
  if (!status.enabled) return 7 * DAY;
  const [, , dayOfMonth, month, weekday] = status.schedule.trim().split(/\s+/);
  if (dayOfMonth !== "*" || month !== "*") return 31 * DAY;
  return weekday === "*" ? DAY : 7 * DAY;
}
