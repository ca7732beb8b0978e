"""How a process of ours deals with memory: large buffers are kept, garbage is looked for rarely."""

from __future__ import annotations

import ctypes
import gc
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_MIB = 1024 * 1024


@cache
def keep_buffers() -> None:
    """Once a process: buffers up to 32 MiB (glibc's limit) come from memory that is kept.

    Segments come and go by the hundred; mapping and clearing their pages anew each time costs a
    tenth of a backup's CPU (measured: four times as many page faults). All threads take from one
    arena, or each keeps what another could use: 23 MiB in a restore. Elsewhere than on glibc this
    does nothing. mallopt(3) tells the parameters.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, 32 * _MIB)
        mallopt(_M_TRIM_THRESHOLD, 64 * _MIB)


def collect_rarely() -> None:
    """For a command, before its modules are imported: what they make stays, and looking for
    garbage among it again and again is a seventh of the CPU that starting takes."""
    gc.set_threshold(50_000, 50, 50)
