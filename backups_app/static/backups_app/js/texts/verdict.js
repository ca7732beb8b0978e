/** Is the data safe? The server judges (status.verdict); here it is said in words. */

import { _, ngettext } from "../catalog.js";

export const verdict = {
  levels: {
    good: (text) => _("Protected: {text}", { text }),
    attention: (text) => _("Attention: {text}", { text }),
    unknown: (text) => _("Not known: {text}", { text }),
    bad: (text) => _("Not protected: {text}", { text }),
  },
  last: (ago) => _("last backup {ago}", { ago }),
  none: _("no backup yet"),
  next: (time) => _("next {time}", { time }),
  nothingScheduled: _("none scheduled"),
  proven: (ago) => _("last restore proven {ago}", { ago }),
  verified: (ago) => _("last verified {ago}", { ago }),
  neverProven: _("no restore tried yet"),
  loading: _("Looking up whether your data is safe…"),
  unknownSince: (ago) => _("What is shown below is from {ago}.", { ago }),
  signedOut: _("You are signed out"),
  signedOutHint: _("Sign in again to see whether your data is safe."),
  forbidden: _("Your account may not see this"),
  forbiddenHint: _(
    "Ask an administrator for a role: viewer, operator, restorer or admin. With it you can sign in again.",
  ),
  asking: _("Asking…"),
  mayNot: (role) => _("To back up ask an administrator for the role {role}.", { role }),
};

/** What can be pressed, by the reason's `action`. */
export const actionTexts = {
  backUp: _("Back up now"),
  verify: _("Verify it"),
  drill: _("Test the restore again"),
  confirm: _("It is right: confirm…"),
  resume: _("Resume the schedule"),
  doctor: _("Check the connection"),
  settings: _("Show the settings"),
  history: _("Show what happened"),
  refresh: _("Look again"),
};

/** By code: [text, hint]. `of` has `subject`, and `ago` of the reason's time. */
export const reasons = {
  INSTANCE_DOWN: ({ subject }) => [
    _("{name} is still stopped", { name: subject }),
    _("A backup has stopped it and it does not start. It is tried again every half minute; start it by hand if that does not help."),
  ],
  BUCKET_UNREADABLE: ({ ago }) => [
    _("the bucket cannot be read"),
    _("It could not be read since {ago}. Whether backups lie in it is not known now; nothing of them is lost by that.", { ago }),
  ],
  NOT_LOOKED: () => [
    _("nobody has looked into the bucket yet"),
    _("That is done once an hour, and whenever this page is opened."),
  ],
  NO_BACKUP: () => [
    _("there is no backup yet"),
    _("Press “Back up now” to make the first one."),
  ],
  FIRST_RUNNING: () => [
    _("the first backup is still being made"),
    _("Wait until it is done: until then nothing can be restored."),
  ],
  BACKUP_OLD: ({ ago }) => [
    _("the last backup was made {ago}", { ago }),
    _("Press “Back up now”, then look at the history for why none was made since."),
  ],
  LAST_FAILED: ({ ago }) => [_("the last try failed {ago}", { ago }), null],
  CHECK_FAILED: ({ ago }) => [_("the last check of a backup failed {ago}", { ago }), null],
  FILES_LEFT_OUT: ({ subject }) => [
    ngettext("the newest backup lacks {count} file", "the newest backup lacks {count} files", Number(subject)),
    _("They could not be read whole. The backup’s warnings in the history name each; mend them, or leave them out by BACKUP_EXCLUDE."),
  ],
  NO_WORKER: () => [
    _("no worker is running"),
    _("Backups wait until one is there. Start Tarkeep’s worker again and look at its log for why it stopped."),
  ],
  PART_MISSING: ({ subject, ago }) => [
    _("a part of Tarkeep is not running: {part}", { part: subject }),
    ago
      ? _("It was last seen {ago}. Start it again: without it backups are not made in time.", { ago })
      : _("It was not seen for a day. Start it: without it backups are not made in time."),
  ],
  STORAGE_LOCAL: () => [
    _("backups lie on this same machine"),
    _("If this machine is lost, they are lost with it. Create a bucket elsewhere, then set BACKUP_S3_BUCKET, BACKUP_S3_ACCESS_KEY, BACKUP_S3_SECRET_KEY (and BACKUP_S3_ENDPOINT for storage other than AWS) in the file .env, and start Tarkeep again."),
  ],
  SCHEDULE_OFF: () => [
    _("the schedule is off"),
    _("Backups are made only when somebody asks. Set BACKUP_ENABLED=true in the file .env and start Tarkeep again."),
  ],
  PAUSED: ({ ago }) => [
    _("the schedule is paused"),
    _("It was paused {ago}. No backup is made by itself until it is resumed.", { ago }),
  ],
};

export const plans = {
  title: _("Plans"),
  asking: _("asking…"),
};

/** For those that have no button: what to type on the server. */
export const commands = {
  NO_WORKER: "tail -n 50 logs/app.log",
  PART_MISSING: "tail -n 50 logs/app.log",
  INSTANCE_DOWN: "tail -n 50 logs/app.log",
  HEAD_MISSING: ".venv/bin/tarkeep list",
  HEAD_CHANGED: ".venv/bin/tarkeep list",
  KEY_CHANGED: ".venv/bin/tarkeep doctor",
  SCHEMA_MISMATCH: ".venv/bin/python manage.py migrate",
  SAFETY_COPY_IN_USE: ".venv/bin/tarkeep copies",
  NOT_IN_BACKUP: ".venv/bin/tarkeep copies",
};

export const tabTitles = {
  good: _("Protected"),
  attention: _("Attention"),
  unknown: _("Not known"),
  bad: _("Not protected"),
};
