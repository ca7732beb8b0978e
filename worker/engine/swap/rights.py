"""May we replace the folder, and whose will the new one be? Asked before anything is fetched.

Root may do everything. Others may rename what lies in a folder that they can write to, but in one
with the sticky bit only what is their own; and to move a folder elsewhere they must be able to
write to it, or own it, to lend themselves that right (rename(2), inode(7)).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from worker.engine.errors import TargetError
from worker.engine.extract.refusals import shown
from worker.engine.progress import Progress, SourceWarning
from worker.engine.swap.site import ENTRIES, NEW, OWN, Site

_REMEDY = "Nothing was changed. Restore as root, or as the user that the data belongs to."


def check_rights(site: Site, progress: Progress) -> None:
    """Raises `TargetError` where the swap is known to fail; warns of an owner that will change."""
    if os.geteuid() == 0 or site.mode == NEW:
        return
    live = site.live.stat()
    immovable = _immovable(site, live)
    if immovable:
        raise TargetError(f"{immovable} cannot be moved away by this user", hint=_REMEDY)
    if live.st_uid != os.geteuid():
        message = (
            f"the data folder belongs to user {live.st_uid}; what this user ({os.geteuid()})"
            " restores will be its own, since only root can give files to others"
        )
        progress.warn(SourceWarning("OWNER_NOT_RESTORED", "", message))


def _immovable(site: Site, live: os.stat_result) -> str:
    if site.mode != ENTRIES:
        return str(site.live) if _is_stuck(site.live.parent.stat(), live) else ""
    return next(_stuck_entries(site.live, live), "")


def _stuck_entries(folder: Path, info: os.stat_result) -> Iterator[str]:
    for entry in os.scandir(folder):
        found = entry.stat(follow_symlinks=False)
        locked = stat.S_ISDIR(found.st_mode) and not _may_write(entry.path, found)
        if not entry.name.startswith(OWN) and (locked or _is_stuck(info, found)):
            yield shown(os.fsencode(entry.path))


def _may_write(path: str, info: os.stat_result) -> bool:
    return info.st_uid == os.geteuid() or os.access(path, os.W_OK | os.X_OK, effective_ids=True)


def _is_stuck(folder: os.stat_result, entry: os.stat_result) -> bool:
    """In a folder with the sticky bit only its owner and the entry's may rename the entry."""
    sticky = bool(folder.st_mode & stat.S_ISVTX)
    return sticky and os.geteuid() not in (folder.st_uid, entry.st_uid)
