"""A file whose reads hang in the kernel, as on a network mount whose server is gone.

fanotify asks a listener before it lets anybody read; this one never answers. Whoever reads waits
in the kernel, where only SIGKILL reaches him. Needs root. ("fanotify(7)", "fanotify_mark(2)")
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLASS_CONTENT = 0x4
_CLOEXEC = 0x1
_MARK_ADD = 0x1
_ACCESS_PERM = 0x20000
_AT_FDCWD = -100


@contextmanager
def hung(path: Path) -> Iterator[None]:
    """While the block runs no read of `path` comes back; afterwards those that wait go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    listener = libc.fanotify_init(_CLASS_CONTENT | _CLOEXEC, os.O_RDONLY)
    if listener < 0:
        raise OSError(ctypes.get_errno(), "fanotify cannot be used")
    try:
        asked = ctypes.c_uint64(_ACCESS_PERM)
        if libc.fanotify_mark(listener, _MARK_ADD, asked, _AT_FDCWD, os.fsencode(path)):
            raise OSError(ctypes.get_errno(), "fanotify does not hold reads up here")
        yield
    finally:
        os.close(listener)
