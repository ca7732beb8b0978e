"""A folder that a run unpacks into: private, locked while it is used, and always removed.

Who is killed leaves the folder but not the lock on it, so the next one to come by can tell
what is left over from what is in use, and clears it away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worker.engine.extract.target_errors import as_target_error
from worker.engine.progress import Progress
from worker.engine.swap.discard import discard

DRILL = ".tarkeep-drill-"
GET = ".tarkeep-get-"
_OURS = re.compile(r"\.tarkeep-(?:drill|get)-[a-z0-9_]{8}")
_TRIES = 100


@contextmanager
def scratch(parent: Path, progress: Progress, *, prefix: str = DRILL) -> Iterator[Path]:
    """Yields an empty folder below `parent`, written down as effect `scratch`.

    Whoever has put it somewhere else has made it their own. Raises `TargetError` where it cannot
    be made or removed.
    """
    with as_target_error("making a folder to unpack into"):
        parent.mkdir(parents=True, exist_ok=True)
        sweep(parent)
        folder, lock = _made(parent, prefix)
    try:
        progress.record("scratch", path=str(folder))
        yield folder
    finally:
        os.close(lock)
        with as_target_error("removing the folder that was unpacked into"):
            discard(folder, progress.pulse)


def sweep(parent: Path) -> list[Path]:
    """Remove what killed runs left in `parent`; the folders removed."""
    names = sorted(path.name for path in parent.iterdir()) if parent.is_dir() else []
    return [parent / name for name in names if clear(parent / name)]


def left_by(effects: Iterable[Mapping[str, Any]]) -> list[Path]:
    """The folders that a run has written down."""
    return [Path(one["path"]) for one in effects if one["effect"] == "scratch"]


def clear(folder: Path) -> bool:
    """Remove one if it is ours and nobody uses it. What is not ours to remove stays."""
    if not _OURS.fullmatch(folder.name):
        return False
    with contextlib.suppress(OSError):  # in use, gone meanwhile, or somebody else's
        lock = _lock(folder)
        try:
            discard(folder)
            return True
        finally:
            os.close(lock)
    return False


def _made(parent: Path, prefix: str) -> tuple[Path, int]:
    """A folder and the lock on it. One that is swept away before it is locked is made again."""
    for _ in range(_TRIES):
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))  # 0700
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            return folder, _lock(folder)
    raise BlockingIOError(f"{parent} is swept all the time")


def _lock(folder: Path) -> int:
    """Hold the folder until the descriptor is closed. `BlockingIOError` when another does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(descriptor).st_nlink:
            raise FileNotFoundError(folder)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
