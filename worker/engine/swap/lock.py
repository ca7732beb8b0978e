"""One restore of a folder at a time, and none while it is backed up: locks that die with their
holder, whoever started it.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.engine.errors import SourceError, TargetError

log = logging.getLogger(__name__)

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file; `TargetError` (TARGET_BUSY) when another process does.

    The file stays: removing it would let two processes hold locks on two files of one name.
    """
    descriptor = os.open(path, _OPEN, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TargetError(
                "Another restore of this folder is running",
                hint="Wait until it has ended, then try again.",
                code="TARGET_BUSY",
            ) from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def not_while_backed_up(live: Path) -> Iterator[None]:
    """Hold the folder itself against backups; TARGET_BUSY while one reads it.

    No file is made for it, so that a backup may lock a folder that it can only read.
    """
    if not live.is_dir():
        yield
        return
    descriptor = os.open(live, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not _locked(descriptor, fcntl.LOCK_EX):
            raise TargetError(
                "A backup of this folder is running",
                hint="Wait until it has ended, then try again.",
                code="TARGET_BUSY",
            )
        yield
    finally:
        os.close(descriptor)


def share(descriptor: int) -> None:
    """Lock the open data folder for a backup, as long as it is open; SOURCE_BUSY in a restore."""
    if not _locked(descriptor, fcntl.LOCK_SH):
        raise SourceError(
            "A restore of this folder is running",
            hint="Wait until it has ended, then back up again.",
            code="SOURCE_BUSY",
        )


def _locked(descriptor: int, how: int) -> bool:
    """False when somebody else holds it. A file system that cannot lock a folder is let pass."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        log.warning("The data folder cannot be locked: %s", error.strerror)
    return True
