"""One restore of a folder at a time, across processes: a lock that dies with its holder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.engine.errors import TargetError

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
