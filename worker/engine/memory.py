"""Keeps glibc from giving every buffer of some MiB back to the kernel as soon as it is free.

Segments come and go by the hundred; mapping and clearing their pages anew each time costs a
tenth of a backup's CPU (measured: four times as many page faults). Elsewhere than on glibc this
does nothing. mallopt(3) tells the parameters.
"""

from __future__ import annotations

import ctypes
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MIB = 1024 * 1024


@cache
def keep_buffers() -> None:
    """Once a process: buffers up to 32 MiB (glibc's limit) come from memory that is kept."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 32 * _MIB)
        mallopt(_M_TRIM_THRESHOLD, 64 * _MIB)
