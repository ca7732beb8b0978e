"""Who wrote to the data folder while it was replaced, or writes to a safety copy still?

A process that has a file of the old folder open goes on writing to it, now in the safety copy,
and nobody else ever sees that; a container whose mount is the old folder works in it until it is
started anew. Nothing can prevent it but stopping them; so it is told.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from worker.engine.extract.refusals import shown
from worker.engine.progress import Progress, SourceWarning
from worker.engine.swap.entry import Entries
from worker.engine.swap.mounts import mounts, place_of
from worker.engine.swap.tree import passing, walk

_MOST = 20
_PROC = Path("/proc")


@dataclass(frozen=True)
class Looked:
    """What lies in a copy, and which of its files were written since it was made one."""

    files: int
    bytes: int
    written: list[str]


def time_of_files(lock: Path) -> int:
    """Now (ns) by the clock that stamps files there, which is neither ours nor as fine."""
    os.utime(lock)
    return lock.stat().st_mtime_ns


def look_into(copy: Path, since_ns: int, pulse: Callable[[], None] = lambda: None) -> Looked:
    """All of the copy, as far as we may read it; `written` has at most 20 paths."""
    files = size = 0
    written: list[str] = []
    with closing(Entries(copy)) as entries:
        for path, info in walk(entries, refused=passing):
            pulse()
            if not stat.S_ISREG(info.st_mode):
                continue
            files, size = files + 1, size + info.st_size
            if info.st_mtime_ns > since_ns and len(written) < _MOST:
                written.append(shown(path))
    return Looked(files, size, written)


def tell_writers(copy: Path, since_ns: int, progress: Progress) -> Looked:
    """Warn of what was written to the safety copy since, and of who still works in it.

    At most 20 warnings of each kind. Processes of other users and of other containers cannot
    be seen without the rights to; what they have written can.
    """
    looked = look_into(copy, since_ns, progress.pulse)
    message = f"was written while the folder was replaced; that is in {copy}, not in place"
    for path in looked.written:
        progress.warn(SourceWarning("WRITTEN_MEANWHILE", path, message))
    for process, path in islice(users(copy), _MOST):
        message = f"process {process} works in the replaced folder: restart it"
        progress.warn(SourceWarning("STILL_OPEN", path, message))
    return looked


def users(copy: Path) -> Iterator[tuple[str, str]]:
    """Processes (number and name) that have something below the copy open or mounted, and what."""
    place = place_of(copy)
    for process in _PROC.glob("[0-9]*"):
        if process.name != str(os.getpid()):
            found = _open_in(process, copy) or _mounted_in(process, *place)
            if found is not None:
                yield f"{process.name} ({_name(process)})", found


def _open_in(process: Path, copy: Path) -> str | None:
    """The first file or folder at or below the copy that the process holds."""
    with contextlib.suppress(OSError):
        for link in (process / "cwd", *(process / "fd").iterdir()):
            target = link.readlink()
            if target == copy or copy in target.parents:
                return str(target.relative_to(copy))
    return None


def _mounted_in(process: Path, device: bytes, folder: Path) -> str | None:
    """A folder is known by its place in the file system, which a container sees under another
    name; a mount goes with the folder when that is renamed."""
    with contextlib.suppress(OSError, ValueError):
        for mount in mounts(process):
            if mount.device == device and (mount.root == folder or folder in mount.root.parents):
                return str(mount.root.relative_to(folder))
    return None


def _name(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "comm").read_text().strip()
    return "?"
