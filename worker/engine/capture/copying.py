"""Copies of a file's content, in steps and without its holes, or as a reflink.

A reflink (`FICLONE`, ioctl_ficlonerange(2): Btrfs, XFS, bcachefs and others, within one file
system) takes no time and no room, however large the file is.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from worker.engine.capture.holes import extents

_FICLONE = 0x40049409
_STEP = 32 * 1024 * 1024

Step = Callable[[], AbstractContextManager[object]]


def copy_content(source: int, target: int, step: Step) -> None:
    """Fill the new file `target` from `source`, both descriptors; each step within `step()`."""
    with step():
        size = os.fstat(source).st_size
        if _clone(source, target):
            return
        os.truncate(target, size)
    for offset, length in _pieces(source, size):
        with step():
            _copy(source, target, offset, length)


def _clone(source: int, target: int) -> bool:
    """Whether the file system could. Whatever it says otherwise, the bytes are copied then."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _pieces(fd: int, size: int) -> Iterator[tuple[int, int]]:
    for start, length in extents(fd, size):
        for offset in range(start, start + length, _STEP):
            yield offset, min(_STEP, start + length - offset)


def _copy(source: int, target: int, offset: int, length: int) -> None:
    os.lseek(target, offset, os.SEEK_SET)
    while length:
        copied = os.sendfile(target, source, offset, length)
        if not copied:  # cut off meanwhile
            raise OSError(errno.EIO, "it became shorter while it was copied")
        offset, length = offset + copied, length - copied
