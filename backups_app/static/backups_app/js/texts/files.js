/** What lies in a backup. */

import { _ } from "../catalog.js";

export const files = {
  title: (time) => _("Backup of {time}", { time }),
  find: _("Find by name: a part of it, or *.jpg"),
  search: _("Find"),
  folders: _("Folders"),
  changes: _("What changed"),
  top: _("Data folder"),
  where: _("Folder shown"),
  foundBy: (query) => _("Names that match “{query}”", { query }),
  between: (old, next) => _("What differs between {old} and {next}", { old, next }),
  list: _("Files"),
  loading: _("Reading the list of files…"),
  noIndex: _("This backup has no list of files, so names cannot be searched in it"),
  noIndexHint: _("It can still be restored whole, and read by tar."),
  nothing: {
    folder: _("This folder is empty"),
    search: _("No name matches"),
    changes: _("Nothing differs"),
  },
  columns: { what: _("Name"), size: _("Size"), began: _("Changed"), actions: _("Do") },
  changeColumns: { what: _("Path"), state: _("What"), size: _("Size"), by: _("Differs in") },
  change: { added: _("added"), removed: _("removed"), changed: _("changed") },
  differs: { kind: _("kind"), size: _("size"), mode: _("rights"), mtime: _("time") },
  totals: (values) =>
    _("{added} added ({addedBytes}), {removed} removed ({removedBytes}), {changed} changed ({changedBytes}).", values),
  note: _("could not be read whole when the backup was made"),
  missing: _("not in the backup: it could not be read"),
  download: _("Download"),
  downloadLabel: (name) => _("Download {name}", { name }),
  restore: _("Restore…"),
  restoreLabel: (name) => _("Restore {name}", { name }),
  page: (number) => _("Page {number}", { number }),
  previous: _("Previous"),
  next: _("Next"),
};
