"""A folder of one run below the temporary folder, removed when the run is over.

Each run holds a lock on its folder, so the next one can tell what a dead run left behind.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.engine.errors import TargetError

PREFIX = ".tarkeep-run-"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})  # to write more


@contextmanager
def workspace(temp_dir: Path) -> Iterator[Path]:
    """Yields the run's folder (0700). Raises `TargetError` when it cannot be made."""
    try:
        temp_dir.mkdir(parents=True, exist_ok=True)
        _sweep(temp_dir)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temp_dir))
        lock = _lock(folder)
    except OSError as error:
        raise _unusable(temp_dir, str(error.strerror)) from error
    try:
        yield folder
    except sqlite3.OperationalError as error:  # the index: nothing else is left unhandled
        raise _unusable(temp_dir, str(error)) from error
    except OSError as error:
        if error.errno not in NO_ROOM:  # a run writes nowhere else
            raise
        raise _unusable(temp_dir, str(error.strerror)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _sweep(temp_dir: Path) -> None:
    """Remove the folders of runs that died: nobody locks them."""
    for folder in temp_dir.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = _lock(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int:
    """`BlockingIOError` while its run lives."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _unusable(temp_dir: Path, why: str) -> TargetError:
    return TargetError(
        f"The temporary folder {temp_dir} cannot be used: {why}.",
        hint="Set BACKUP_TEMP_DIR to a folder with room that the worker may write to.",
    )
