"""Read one source file so that the archive stays valid whatever happens to the file meanwhile.

A tar header promises a size before the content follows. So exactly that many bytes come out of
here: a file that grew is cut at the promise, one that shrank is filled with zeros, and both
are reported. Nothing here raises for trouble with a single file but `SourceGone`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
SQLITE_MAGIC = b"SQLite format 3\0"
_KEPT_XATTRS = ("user.", "system.posix_acl_")


class SourceGone(Exception):
    """This file cannot be read: `code` and the exception's text say why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass
class SourceFile:
    """An open regular file, its state at opening, and a note when the reading went wrong."""

    fd: int
    info: os.stat_result
    note: str = ""

    @property
    def size(self) -> int:
        return self.info.st_size

    def read(self, size: int, offset: int) -> bytes:
        """Exactly `size` bytes from `offset`, zeros where the file has no more."""
        try:
            data = self._pread(size, offset)
        except OSError:
            self.note = "FILE_READ_ERROR"
            return bytes(size)
        if len(data) < size:
            self.note = self.note or "FILE_SHRANK"
            data += bytes(size - len(data))
        return data

    def _pread(self, size: int, offset: int) -> bytes:
        data = os.pread(self.fd, size, offset)
        while 0 < len(data) < size:
            more = os.pread(self.fd, size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def settle(self) -> str:
        """After reading: the code of what happened to the file meanwhile, or an empty string."""
        now = os.fstat(self.fd)
        if not self.note and (now.st_size, now.st_mtime_ns) != (self.size, self.info.st_mtime_ns):
            self.note = "FILE_CHANGED"
        return self.note

    def xattrs(self) -> dict[bytes, bytes]:
        """User attributes and ACLs; empty where the file system has none."""
        try:
            names = os.listxattr(self.fd)
            return {
                os.fsencode(n): os.getxattr(self.fd, n) for n in names if n.startswith(_KEPT_XATTRS)
            }
        except OSError:
            return {}

    def close(self) -> None:
        os.close(self.fd)


def open_source(folder: int, name: bytes) -> SourceFile:
    """Open a regular file in the folder descriptor. Raises `SourceGone`.

    Never follows a link and never blocks, should a pipe have taken the file's place.
    """
    try:
        fd = os.open(name, _FLAGS, dir_fd=folder)
    except FileNotFoundError:
        raise SourceGone("FILE_VANISHED", "vanished before it could be read") from None
    except OSError as error:
        raise SourceGone("FILE_UNREADABLE", f"cannot be read: {error.strerror}") from None
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        os.close(fd)
        raise SourceGone("FILE_REPLACED", "was replaced by something that is not a file")
    return SourceFile(fd, info)
