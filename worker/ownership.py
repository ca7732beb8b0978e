"""Who runs a job, said so that another process beside it can see whether it still lives."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path


def owner() -> str:
    """This process."""
    return f"{_place()}:{os.getpid()}"


def has_died(owner: str) -> bool:
    """Whether that process is gone for certain. One that cannot be seen from here may live: on
    another machine, or in a container of its own."""
    place, _, number = owner.rpartition(":")
    return place == _place() and number.isdecimal() and not _lives(int(number))


def _place() -> str:
    """The machine, and the namespace in which process numbers mean something."""
    namespace = "?"
    with suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").stat().st_ino)
    return f"{socket.gethostname()}/{namespace}"


def _lives(number: int) -> bool:
    """What is dead and not yet buried by its parent counts as dead ("proc(5)")."""
    try:
        stat = Path(f"/proc/{number}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return True
    state = stat.rpartition(b")")[2].split()[0]
    return state not in (b"Z", b"X")
