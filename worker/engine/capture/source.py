"""Read one source file so that the archive stays valid whatever happens to the file meanwhile.

A tar header promises a size before the content follows. So exactly that many bytes come out of
here: a file that grew is cut at the promise, one that shrank is filled with zeros, and both
are reported. Nothing here raises for trouble with a single file but `SourceGone`.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.engine.archive.index import FileRow

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
SQLITE_MAGIC = b"SQLite format 3\0"
_KEPT_XATTRS = ("user.", "system.posix_acl_")
_MORE_TRIES = 2
_MOVED = ("FILE_CHANGED", "FILE_GREW", "FILE_SHRANK")
_LOOK = 64 * 1024  # bytes
SHORT = 32 * 1024  # bytes
_SECTORS = 4096  # bytes given up together where the disk does not give them
_MOST_FAILURES = 256  # of reads of one file; each may take the disk seconds


class SourceGone(Exception):
    """This file cannot be read: `code` and the exception's text say why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class SourceFile:
    """An open regular file, its state at opening, and a note when the reading went wrong."""

    __slots__ = ("_failures", "_first", "_last", "fd", "info", "note", "size")

    def __init__(self, fd: int, info: os.stat_result) -> None:
        self.fd, self.info, self.size = fd, info, info.st_size
        self.note = ""
        self._failures = 0
        self._first = b""
        self._last = (0, b"")  # where, and what, of the last bytes read

    def read(self, size: int, offset: int) -> bytes:
        """Exactly `size` bytes from `offset`, zeros where the file has no more."""
        data = self._read(size, offset)
        if len(data) < size:
            self.note = self.note or "FILE_SHRANK"
            data += bytes(size - len(data))
        if not offset:
            self._first = data[:_LOOK]
        end = data[-_LOOK:]
        self._last = (offset + size - len(end), end)
        return data

    def _read(self, size: int, offset: int) -> bytes:
        """Zeros for what the disk does not give: halved and halved again, that is a few sectors
        and not all that was asked for, unless there are too many such places."""
        try:
            data = os.pread(self.fd, size, offset)
            return data if len(data) == size else self._pread(size, offset)
        except OSError:
            self._failures += 1
            if size <= _SECTORS or self._failures > _MOST_FAILURES:
                self.note = "FILE_READ_ERROR"
                return bytes(size)
        half = -(-size // 2 // _SECTORS) * _SECTORS
        data = self._read(half, offset)
        return data + self._read(size - half, offset + half) if len(data) == half else data

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
        try:
            now = os.fstat(self.fd)
        except OSError:
            self.note = self.note or "FILE_READ_ERROR"
            return self.note
        if not self.note and (now.st_size, now.st_mtime_ns) != (self.size, self.info.st_mtime_ns):
            grew = now.st_size > self.size and self._begins_alike()
            self.note = "FILE_GREW" if grew else "FILE_CHANGED"
        return self.note

    def _begins_alike(self) -> bool:
        """Whether its beginning, and the end of what was read, are what they were: then it was
        appended to, as logs are, and what was read is what it held a moment ago."""
        at, end = self._last
        try:
            first = self._pread(len(self._first), 0)
            return bool(end) and first == self._first and self._pread(len(end), at) == end
        except OSError:
            return False

    def renew(self) -> bool:
        """As if it were opened now; False when that cannot be, and nothing has changed."""
        try:
            self.info, self.note = os.fstat(self.fd), ""
        except OSError:
            return False
        self.size = self.info.st_size
        return True

    def close(self) -> None:
        os.close(self.fd)


def read_head(source: SourceFile, limit: int) -> bytes:
    """Up to `limit` bytes from the file's beginning. If these are all, the file is settled; one
    that was just being written to is read anew first, as nothing of it was given out yet.
    """
    head = _read_head(source, limit)
    for _ in range(_MORE_TRIES if source.note in _MOVED else 0):
        if not source.renew():
            break
        head = _read_head(source, limit)
        if source.note not in _MOVED:
            break
    return head


def _read_head(source: SourceFile, limit: int) -> bytes:
    size = source.size
    if size > limit:
        return source.read(limit, 0)
    head = source.read(size, 0) if size else b""
    source.settle()
    return head


def read_xattrs(fd: int) -> tuple[dict[bytes, bytes], str]:
    """User attributes and ACLs, none where the file system has none; and why some are missing."""
    kept: dict[bytes, bytes] = {}
    trouble = ""
    for name in _xattr_names(fd):
        try:
            kept[os.fsencode(name)] = os.getxattr(fd, name)
        except OSError as error:
            if error.errno != errno.ENODATA:  # which is one that was removed just now
                trouble = f"its attribute {name} cannot be read: {error.strerror}"
    return kept, trouble


def _xattr_names(fd: int) -> list[str]:
    try:
        names = os.listxattr(fd)
    except OSError:
        return []
    return [name for name in names if name.startswith(_KEPT_XATTRS)]


def read_short(folder: int, row: FileRow) -> bytes | None:
    """Content of a short file that after reading still is what the scan saw, with one name and no
    attributes, in as few steps as that takes: most files are such. None for any other: then
    `open_source` and all that goes with it.
    """
    _, _, name, _, _, _, _, size, mtime, ctime, inode = row
    if size > SHORT:
        return None
    try:
        fd = os.open(name, _FLAGS, dir_fd=folder)
    except OSError:
        return None
    try:
        content = os.pread(fd, size, 0) if size else b""
        now = os.fstat(fd)
        if (
            # Whatever is changed of a file moves its ctime; the others are for file systems whose
            # times of change are not kept, or lag behind.
            now.st_ctime_ns != ctime or now.st_mtime_ns != mtime or now.st_ino != inode
            or now.st_size != size or len(content) < size or now.st_nlink > 1
            or not stat.S_ISREG(now.st_mode) or _xattr_names(fd)
        ):  # fmt: skip
            return None
        return content
    except OSError:
        return None
    finally:
        os.close(fd)


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
    try:
        info = os.fstat(fd)
    except OSError as error:
        os.close(fd)
        raise SourceGone("FILE_UNREADABLE", f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(info.st_mode):
        os.close(fd)
        raise SourceGone("FILE_REPLACED", "was replaced by something that is not a file")
    return SourceFile(fd, info)
