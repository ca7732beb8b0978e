"""Who of the account's processes on this machine has chosen which port.

One small file, and in it a lock on one byte for each port: the system drops a process's locks
with it, however it ends, so no claim outlives its owner. It keeps our own processes apart and
nobody else's; whoever chooses a port must be ready to find it taken all the same.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from functools import cache
from pathlib import Path

_ours: set[int] = set()


def claim(port: int, *, anew: bool = False) -> bool:
    """Whether the port is this process's from now on; one that it has already only unless `anew`.

    Where the file cannot be used, every port may be had.
    """
    if port in _ours:
        return not anew
    if not _locked(port):
        return False
    _ours.add(port)
    return True


def _locked(port: int) -> bool:
    if (file := _file()) is None:
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _file() -> int | None:
    """Open for as long as the process lives: closing it once would drop every lock."""
    path = Path(tempfile.gettempdir()) / f"tarkeep-ports-{os.getuid()}.lock"
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    return file if os.fstat(file).st_uid == os.getuid() else None
