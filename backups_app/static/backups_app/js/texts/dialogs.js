/** Questions before something is done. */

import { _ } from "../catalog.js";

export const ask = {
  type: _("To confirm, type the day of the backup (UTC): {word}"),
  tooOld: _("For this you must have signed in within the last 15 minutes"),
  tooOldHint: _("Sign in again, then you are back on this page. Nothing has been done yet."),
  damaged: _("This backup is damaged"),
  damagedHint: _("A restore of it will most likely fail, and change nothing. Choose another one if you can."),
  damagedAgain: _("I know that it is damaged"),
};

export const restore = {
  title: _("Restore this backup?"),
  partTitle: _("Restore only this?"),
  backupOf: (time) => _("Backup of {time}", { time }),
  counting: _("Looking at what would change…"),
  notCounted: _("What would change could not be worked out"),
  wouldBe: _("Files and folders, if you restore now:"),
  numbers: {
    added: _("Come back"),
    replaced: _("Are replaced"),
    removed: _("Leave the folder: not in the backup"),
    kept: _("Stay: backups leave them out"),
    unchanged: _("Are the same already"),
  },
  incomplete: _("There are more: counting was stopped after 20 seconds."),
  same: _("Files are compared by size and time, not by content."),
  steps: (folder) => [
    _("The backup is downloaded and checked. If anything is wrong with it, nothing is changed."),
    _("Then the whole folder {folder} is replaced by it.", { folder }),
    _("The folder as it is now is kept beside it, so you can go back."),
  ],
  partSteps: (path, folder) => [
    _("What is needed is downloaded and checked. If anything is wrong with it, nothing is changed."),
    _("Then {path} in {folder} is replaced by what is in the backup. Everything else stays as it is.", { path, folder }),
    _("What is there now is kept beside the data folder, so you can go back."),
  ],
  stops: _("The application is stopped for the moment of the exchange, and started again."),
  stopFirst: _(
    "Tarkeep does not stop the application that uses this folder. Stop it first and start it again afterwards.",
  ),
  confirm: _("Restore"),
};

export const undoing = {
  title: _("Undo the last restore?"),
  steps: (folder, path) => [
    _("{path} is put in the place of {folder}.", { path, folder }),
    _("The folder as it is now is kept beside it under another name, so you can undo this too."),
  ],
  partSteps: (folder, path) => [
    _("What lies in {path} is put back into {folder}; everything else there stays as it is.", { path, folder }),
    _("What is there now in its place is kept, so you can undo this too."),
  ],
  confirm: _("Undo the restore"),
};

export const cancelling = {
  titles: {
    backup: _("Cancel this backup?"),
    restore: _("Cancel this restore?"),
    undo: _("Cancel this undo?"),
    verify: _("Cancel this verification?"),
    drill: _("Cancel this test restore?"),
  },
  texts: {
    backup: _("What was sent so far is thrown away. Earlier backups stay as they are."),
    restore: _("As long as the folder is not yet being put in place, your data folder stays as it is."),
    undo: _("As long as the folders have not changed places, your data folder stays as it is."),
    verify: _("Nothing is changed. You can start it again at any time."),
    drill: _("What was restored on trial is removed. Your data folder is not touched."),
  },
  keep: _("Keep it running"),
  confirms: {
    backup: _("Cancel the backup"),
    restore: _("Cancel the restore"),
    undo: _("Cancel the undo"),
    verify: _("Cancel the verification"),
    drill: _("Cancel the test restore"),
  },
};

export const removing = {
  title: _("Delete this backup for good?"),
  text: _("It cannot be brought back by anybody. Other backups stay whole: none depends on it."),
  confirm: _("Delete for good"),
};

export const confirming = {
  title: _("Delete old backups again?"),
  stopped: _("Tarkeep has stopped deleting old backups, because something looked wrong:"),
  text: _(
    "If it is right all the same, confirm: what is due goes after the next backup. If files were lost by mistake, do not confirm: restore an older backup. Until then everything is kept.",
  ),
  confirm: _("It is right"),
};
