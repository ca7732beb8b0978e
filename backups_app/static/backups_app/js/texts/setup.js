/** What is set, what is wrong, and what to have at hand on the worst day. */

import { _, ngettext } from "../catalog.js";

export const setup = {
  facts: {
    bucket: _("Bucket"),
    folder: _("Data folder"),
    kept: _("Kept"),
    encryption: _("Encryption"),
    total: _("In the bucket"),
    version: _("Version"),
  },
  keptValue: (number) => ngettext("the newest one", "the newest {count}", number),
  on: _("on"),
  off: _("off"),
  notSet: _("not set"),
};

export const schedule = {
  title: _("Schedule"),
  kinds: { backup: _("Backups"), verify: _("Verifications"), drill: _("Test restores") },
  off: _("off"),
  minutes: (number) => ngettext("every minute", "every {count} minutes", number),
  hour: (minute) => _("every hour, at minute {minute}", { minute }),
  day: (times) => _("every day at {times}", { times }),
  week: (days, times) => _("{days} at {times}", { days, times }),
  month: (days, times) => _("on day {days} of each month at {times}", { days, times }),
  line: (line) => _("by the cron line {line}", { line }),
  zone: (zone) => _("in the time zone {zone}", { zone }),
  next: _("Next, in your time:"),
  until: (time) => _("Paused until {time}.", { time }),
  pause: _("Pause the schedule"),
  resume: _("Resume the schedule"),
};

export const doctor = {
  title: _("Check"),
  about: _("Tries out everything that a backup needs: settings, folders, the bucket, what the storage can do."),
  run: _("Check now"),
  running: _("Checking…"),
  at: (ago) => _("Checked {ago}.", { ago }),
  never: _("Not checked yet."),
  levels: { ok: _("well"), note: _("note"), bad: _("wrong") },
  wellFolded: (number) => ngettext("{count} thing is well", "{count} things are well", number),
};

export const notify = {
  title: _("Notifications"),
  about: _("A test message goes to every address that is set, at once."),
  test: _("Send a test message"),
  testing: _("Sending…"),
  taken: (address) => _("{address}: taken", { address }),
  refused: (address) => _("{address}: not taken", { address }),
};

export const settings = {
  title: _("All settings"),
  about: _("They are set in the environment or in the file .env. Most are taken up within a minute after a change; docs/configuration.md says which need a restart."),
  origins: {
    environment: _("environment"),
    ".env": ".env",
    "secret file": _("secret file"),
    default: _("default"),
  },
  defaults: (number) =>
    ngettext("{count} setting as it comes", "{count} settings as they come", number),
  set: _("set"),
};

export const kit = {
  title: _("Recovery kit"),
  about: _("Everything needed to get the data back without this machine, on one page to print. Keep it where a fire does not reach it, and the key apart from it."),
  open: _("Open the recovery kit"),
};

export const tokens = {
  title: _("API tokens"),
  none: _("There is none."),
  used: _("Last used"),
  expires: _("Ends"),
  never: _("never"),
  revoke: _("Revoke"),
  revokeLabel: (name) => _("Revoke the token {name}", { name }),
  name: _("Name of a new token"),
  role: _("Role"),
  days: _("Days it lives"),
  make: _("Make a token"),
  made: (name) => _("The token {name}. It is shown this once:", { name }),
};
