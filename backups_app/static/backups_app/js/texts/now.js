/** What runs, how it ended, and the way back from a restore. */

import { _, ngettext } from "../catalog.js";

export const connection = {
  connecting: _("Connecting…"),
  live: _("Live"),
  polling: _("Live updates lost: asking every few seconds, reconnecting"),
  offline: _("No answer from the service, trying again"),
};

export const now = {
  idle: _("Nothing is running."),
  unknown: _("Not known."),
  loading: _("Asking…"),
  waiting: _("Waiting for a worker to take it."),
  noWorker: _("No worker is there to take it. It starts by itself once one is."),
  waitingAgain: (number) =>
    _("Try {number} waits for a worker: the one before was lost.", { number }),
  percent: (value) => `${Math.floor(value)} %`,
  progress: (kind) => _("{kind}: progress", { kind }),
  of: (done, total) => _("{done} of {total}", { done, total }),
  data: _("Data"),
  sent: _("Sent"),
  files: _("Files"),
  rate: _("Speed"),
  perSecond: (size) => `${size}/s`,
  left: _("Time left"),
  leftValue: (time) => _("about {time}", { time }),
  elapsed: _("Running for"),
  downtime: _("Application stopped for"),
  started: (trigger, who) =>
    who ? _("started {trigger} ({who})", { trigger, who }) : _("started {trigger}", { trigger }),
  cancel: _("Cancel"),
  cancelling: _("Stopping at the next safe point…"),
  stepDone: _("done"),
  warnings: (number) => ngettext("{count} warning", "{count} warnings", number),
  warningsMore: (number) => ngettext("and {count} more, see the log", "and {count} more, see the log", number),
  ended: (ago) => _("Ended {ago}.", { ago }),
  safetyCopy: (path) =>
    _("The folder as it was before is kept at {path}. It is removed by itself some days later, after a new backup.", { path }),
  safetyPart: (path) =>
    _("What was replaced is kept at {path}. It is removed by itself some days later, after a new backup.", { path }),
};

export const done = {
  backup: ({ size, time }) => _("Backup done: {size} in {time}.", { size, time }),
  restore: ({ files, time }) => _("Restore done: {files} in {time}.", { files, time }),
  undo: ({ time }) => _("Restore undone in {time}: what was there before is back in place.", { time }),
  verify: ({ files, time }) => _("Backup verified: {files} read and sound, in {time}.", { files, time }),
  drill: ({ files, time }) =>
    _("Test restore done: {files} restored on trial and compared, in {time}.", { files, time }),
};

export const nothingNew = _("Nothing had changed since the last backup, so no other one was stored.");

export const failed = {
  FAILED: {
    backup: _("The backup failed"),
    restore: _("The restore failed"),
    undo: _("The undo failed"),
    verify: _("The verification failed"),
    drill: _("The test restore failed"),
  },
  CANCELLED: {
    backup: _("The backup was cancelled. Nothing was published; earlier backups are untouched."),
    restore: _("The restore was cancelled. The data folder was not changed."),
    undo: _("The undo was cancelled. The data folder was not changed."),
    verify: _("The verification was cancelled."),
    drill: _("The test restore was cancelled. What it had restored on trial is removed."),
  },
  LOST: {
    backup: _("The backup was lost: its worker disappeared"),
    restore: _("The restore was lost: its worker disappeared"),
    undo: _("The undo was lost: its worker disappeared"),
    verify: _("The verification was lost: its worker disappeared"),
    drill: _("The test restore was lost: its worker disappeared"),
  },
};

export const undo = {
  kept: (time) => _("The folder as it was until {time} is kept at", { time }),
  keptPart: (time) => _("What a restore replaced on {time} is kept at", { time }),
  replacedBy: (key) => _("It was replaced by {key}.", { key }),
  button: _("Undo the restore…"),
};
