"""A consistent copy of a live SQLite database, without stopping whoever writes to it.

Under a read transaction of SQLite's own, the main file alone holds the database unless a
write-ahead log has content; then it is copied byte for byte, so that the capture equals the
file and unchanged parts stay unchanged in the archive. With content in the log, SQLite's
online backup writes the same pages, log included, in the same places.
(SQLite: "Atomic Commit", "Write-Ahead Logging", "Online Backup API".)

A database in WAL mode without a log file is open nowhere. Opening it would leave a log and a
shared-memory file in the user's folder, so it is copied as it lies, and the copy counts only
when nobody came meanwhile.

POSIX locks fall when any descriptor of the file is closed in this process: the caller's own
descriptor must stay open until `capture` has returned.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

SIDE_FILES = (b"-wal", b"-shm", b"-journal")
_BUSY_SECONDS = 10.0
_COPY_STEP = 16 * 1024 * 1024
_FORMAT_VERSIONS = 18  # offset in the database header, two bytes; 2 is WAL
_SCHEMA_COOKIE = 40  # offset in the database header, four bytes; "Database File Format" 1.3


class NotCaptured(Exception):
    """The database could not be read through SQLite; its text says why."""


def capture(path: bytes, fd: int, temp_dir: Path) -> Path:
    """A temporary file that holds the database at one instant; the caller removes it.

    `path` is the database's own path, `fd` an open descriptor of it. Raises `NotCaptured`.
    """
    size = os.fstat(fd).st_size
    free = shutil.disk_usage(temp_dir).free
    if size + 64 * 1024 * 1024 > free:
        raise NotCaptured(f"{size} bytes do not fit into the temporary folder ({free} free)")
    try:
        if _at_rest(path, fd) and (copy := _copy_at_rest(path, fd, temp_dir)) is not None:
            return copy
        with closing(_connect(path)) as database, _reading(database):
            if not _log_size(path):
                return _copy_bytes(fd, temp_dir)
            return _copy_pages(database, temp_dir)
    except (sqlite3.Error, OSError) as error:
        raise NotCaptured(str(error)) from error


def _at_rest(path: bytes, fd: int) -> bool:
    """Whether the database is in WAL mode ("Database File Format" 1.3.3) and open nowhere."""
    return os.pread(fd, 2, _FORMAT_VERSIONS) == b"\2\2" and _log_size(path) is None


def _copy_at_rest(path: bytes, fd: int, temp_dir: Path) -> Path | None:
    before = os.fstat(fd)
    copy = _copy_bytes(fd, temp_dir)
    after = os.fstat(fd)
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if same and _log_size(path) is None:
        return copy
    copy.unlink()
    return None


def _connect(path: bytes) -> sqlite3.Connection:
    uri = f"file:{quote(path)}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)


@contextmanager
def _reading(database: sqlite3.Connection) -> Iterator[None]:
    """Hold a read transaction: from here on no writer changes what we see."""
    database.execute("BEGIN")
    database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    try:
        yield
    finally:
        database.execute("ROLLBACK")


def _log_size(path: bytes) -> int | None:
    """Bytes in the write-ahead log; None where there is no such file."""
    try:
        return Path(os.fsdecode(path + b"-wal")).stat().st_size
    except FileNotFoundError:
        return None


def _copy_bytes(fd: int, temp_dir: Path) -> Path:
    with _temporary(temp_dir) as (handle, name):
        offset, size = 0, os.fstat(fd).st_size
        while offset < size:
            copied = os.sendfile(handle, fd, offset, min(_COPY_STEP, size - offset))
            if not copied:
                break
            offset += copied
    return name


def _copy_pages(database: sqlite3.Connection, temp_dir: Path) -> Path:
    with _temporary(temp_dir) as (handle, name):
        with closing(sqlite3.connect(name)) as copy:
            copy.execute("PRAGMA synchronous=OFF")
            database.backup(copy)
        cookie = int(database.execute("PRAGMA schema_version").fetchone()[0])
        # The backup counts its own schema change; put back the one of the source.
        os.pwrite(handle, cookie.to_bytes(4, "big"), _SCHEMA_COOKIE)
        for suffix in SIDE_FILES:
            Path(f"{name}{suffix.decode()}").unlink(missing_ok=True)
    return name


@contextmanager
def _temporary(temp_dir: Path) -> Iterator[tuple[int, Path]]:
    """A new file, open for writing; removed when the block fails."""
    handle, text = tempfile.mkstemp(dir=temp_dir, prefix="sqlite-")
    name = Path(text)
    try:
        yield handle, name
    except BaseException:
        name.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
