"""The folder beside the live one that a backup is unpacked into, gone unless it was swapped in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.engine.extract.target_errors import as_target_error
from worker.engine.progress import Progress
from worker.engine.swap.discard import discard
from worker.engine.swap.site import Site

_PRIVATE = 0o700


@contextmanager
def staging(site: Site, progress: Progress) -> Iterator[Path]:
    """Yields an empty private folder in the site's workplace; removes what is left of it.

    Not while a journal speaks of it: it may hold the only copy of either folder then.
    """
    folder = site.new_stage()
    progress.record("stage", path=str(folder), live=str(site.live))
    with as_target_error("making the staging folder"):
        folder.mkdir(mode=_PRIVATE)
    try:
        yield folder
    finally:
        if not os.path.lexists(site.journal):
            with as_target_error("removing the staging folder"):
                discard(folder, progress.pulse)


def look_like(live: Path, staged: Path) -> None:
    """Give the staged folder itself the live one's mode and owner (as far as we may)."""
    if not live.exists():
        return
    wanted = live.stat()
    if os.geteuid() == 0:
        os.chown(staged, wanted.st_uid, wanted.st_gid)
    staged.chmod(wanted.st_mode & 0o3777)
