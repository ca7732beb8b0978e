/** Words that several parts use. */

import { _, isEnglish, ngettext } from "../catalog.js";
import { codes } from "./codes.js";

export const kinds = {
  backup: _("Backup"),
  restore: _("Restore"),
  verify: _("Verification"),
  undo: _("Undo"),
  drill: _("Test restore"),
};

export const states = {
  PENDING: _("Waiting"),
  RUNNING: _("Running"),
  SUCCEEDED: _("Done"),
  FAILED: _("Failed"),
  CANCELLED: _("Cancelled"),
  LOST: _("Lost"),
};

export const triggers = {
  manual: _("by hand"),
  schedule: _("by schedule"),
  api: _("over the API"),
  admin: _("from the admin"),
  cli: _("from the command line"),
  import: _("found in the bucket"),
};

export const phases = {
  preparing: _("Getting ready"),
  stopping: _("Stopping the application"),
  scanning: _("Looking through the folder"),
  capturing: _("Reading"),
  archiving: _("Packing and sending"),
  publishing: _("Publishing"),
  pruning: _("Removing old backups"),
  fetching: _("Downloading and checking"),
  swapping: _("Putting the folder in place"),
  starting: _("Starting the application"),
  "swapping back": _("Putting the old folder back"),
  finishing: _("Finishing"),
  reading: _("Reading all of it"),
  restoring: _("Restoring into a scratch folder"),
  comparing: _("Comparing with the index"),
  command: _("Your own check"),
};

export const phasesOf = {
  backup: ["preparing", "scanning", "archiving", "publishing", "pruning"],
  restore: ["preparing", "fetching", "swapping", "finishing"],
  verify: ["preparing", "reading"],
  undo: ["preparing", "swapping", "finishing"],
  drill: ["preparing", "restoring", "comparing", "command"],
};

export const common = {
  again: _("Try again"),
  cancel: _("Leave it as it is"),
  close: _("Close"),
  copy: _("Copy"),
  copied: _("Copied"),
  loading: _("Loading…"),
  more: _("More"),
  less: _("Less"),
  signIn: _("Sign in"),
  signInAgain: _("Sign in again"),
  brokenPart: _("This part of the page could not be loaded"),
  brokenPartHint: _(
    "Reload the page. If that does not help, the command line does the same: .venv/bin/tarkeep --help.",
  ),
  files: (number) => ngettext("{count} file", "{count} files", number),
};

/**
 * What the server says of a failure, `{ text, hint, original }`. It speaks English; in another
 * language the code's own sentence comes first and the server's words stand below it.
 */
export function explain({ code = "", message = "", hint = "" } = {}) {
  const known = codes[code];
  if (isEnglish || !known) return { text: message, hint, original: "" };
  return { text: known, hint: "", original: [message, hint].filter(Boolean).join(" — ") };
}
