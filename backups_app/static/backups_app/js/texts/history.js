/** Every job, how it ended and why; the calendar and the curves. */

import { _, ngettext } from "../catalog.js";

export const history = {
  title: _("History"),
  empty: _("Nothing has run yet"),
  emptyHint: _("Every backup, restore and check will be listed here."),
  noMatch: _("No job matches this choice"),
  failed: _("The history cannot be read"),
  loading: _("Reading the history…"),
  kind: _("What"),
  state: _("How it ended"),
  all: _("all"),
  attempt: (number) => _("try {number}", { number }),
  phaseTimes: _("Time in each phase"),
  id: _("Job"),
  key: _("Backup"),
  error: _("Error code"),
  by: _("Started"),
  size: _("Size"),
  log: _("Show the log"),
  logTitle: _("Log"),
  logEmpty: _("Nothing was kept of the log."),
  logMore: _("More lines"),
};

export const pager = {
  range: (from, to, total) => _("{from}–{to} of {total}", { from, to, total }),
  newer: _("Newer"),
  older: _("Older"),
  label: (title) => _("{title}: pages", { title }),
};

export const calendar = {
  title: _("The last 90 days"),
  summary: (good, all) => ngettext("{good} of {count} day with a backup", "{good} of {count} days with a backup", all, { good }),
  trouble: {
    failed: (number) => ngettext("failed on {count} day", "failed on {count} days", number),
    missed: (number) => ngettext("missed on {count} day", "missed on {count} days", number),
  },
  legend: { good: _("backup made"), mixed: _("made, after a failure"), failed: _("failed"), missed: _("missed"), none: _("nothing") },
  day: (date, what) => `${date}: ${what}`,
  counts: {
    succeeded: (number) => ngettext("{count} made", "{count} made", number),
    failed: (number) => ngettext("{count} failed", "{count} failed", number),
    missed: (number) => ngettext("{count} missed", "{count} missed", number),
  },
};

export const curves = {
  open: _("Curves: how long, how large"),
  duration: _("Duration"),
  size: _("Size in the bucket"),
  sent: _("Sent"),
  few: _("There is a curve from the second backup on."),
  range: (name, least, most) => _("{name}: from {least} to {most}", { name, least, most }),
};
