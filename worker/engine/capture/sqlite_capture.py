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
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

from worker.engine.capture.copying import Step, copy_content
from worker.engine.progress import Progress

SIDE_FILES = (b"-wal", b"-shm", b"-journal")
_BUSY_SECONDS = 10.0
_LOOK_AGAIN = 0.002  # seconds
_PRIMARY = 0xFF  # the part of an error code that names its kind (sqlite.org/rescode.html)
_TRIES = 3
_BACKUP_PAGES = 8192  # between two signs of life
# Offsets in the database header ("Database File Format", 1.3).
_FORMAT_VERSIONS = 18  # of writing and reading, a byte each
_WAL = b"\2\2"
_SCHEMA_COOKIE = 40  # four bytes
# From there on up to the end of: change counter, size in pages, free list. By these SQLite itself
# tells whether what it knows of a database with a rollback journal still holds.
_STATE_SIZE = 22


class NotCaptured(Exception):
    """The database could not be read through SQLite; its text says why."""


def capture(path: bytes, fd: int, temp_dir: Path, progress: Progress) -> Path:
    """A temporary file that holds the database at one instant; the caller removes it.

    `path` is the database's own path, `fd` an open descriptor of it. Raises `NotCaptured`,
    `JobStopped`.
    """
    _demand_room(os.fstat(fd).st_size + (_log_size(path) or 0), temp_dir)
    try:
        if _at_rest(path, fd) and (copy := _copy_at_rest(path, fd, temp_dir, progress)):
            return copy
        with closing(_connect(path)) as database:
            return _copy_live(_Live(database, path, fd), temp_dir, progress)
    except (sqlite3.Error, OSError) as error:
        raise NotCaptured(str(error)) from error


def _demand_room(size: int, temp_dir: Path) -> None:
    """A copy may take what lies in the database and what lies in its log."""
    free = shutil.disk_usage(temp_dir).free
    if size + 64 * 1024 * 1024 > free:
        raise NotCaptured(f"{size} bytes do not fit into the temporary folder ({free} free)")


def _at_rest(path: bytes, fd: int) -> bool:
    """Whether the database is in WAL mode and open nowhere."""
    return os.pread(fd, 2, _FORMAT_VERSIONS) == _WAL and _log_size(path) is None


def _copy_at_rest(path: bytes, fd: int, temp_dir: Path, progress: Progress) -> Path | None:
    before = os.fstat(fd)
    copy = _copy_bytes(fd, temp_dir, partial(_showing, progress))
    after = os.fstat(fd)
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if same and _log_size(path) is None:
        return copy
    copy.unlink()
    return None


class _Changed(Exception):
    """Somebody wrote to the database between two steps."""


class _Live:
    """A database that others may write to. `fd` is a descriptor of its file."""

    def __init__(self, database: sqlite3.Connection, path: bytes, fd: int) -> None:
        self.database, self.path, self.fd = database, path, fd
        self._state: tuple[int, bytes] | None = None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold a read transaction: from here on no writer changes what we see."""
        self.database.execute("BEGIN")
        try:
            _lock(self.database)
            if not os.path.samestat(Path(os.fsdecode(self.path)).stat(), os.fstat(self.fd)):
                raise NotCaptured("another file has taken its place")
            yield
        finally:
            if self.database.in_transaction:
                self.database.execute("ROLLBACK")

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """The same; raises `_Changed` when the database is not what it was the first time."""
        with self.reading():
            state = os.fstat(self.fd).st_size, os.pread(self.fd, _STATE_SIZE, _FORMAT_VERSIONS)
            if state != (self._state or state) or state[1].startswith(_WAL):
                raise _Changed
            self._state = state
            yield

    def forget(self) -> None:
        self._state = None


def _copy_live(live: _Live, temp_dir: Path, progress: Progress) -> Path:
    """Writers of a database with a rollback journal have to wait for readers, so such a one is
    read in steps; one that changes again and again meanwhile is read in one go."""
    for _ in range(_TRIES if os.pread(live.fd, 2, _FORMAT_VERSIONS) != _WAL else 0):
        with suppress(_Changed):
            return _copy_bytes(live.fd, temp_dir, partial(_showing, progress, live.unchanged))
        live.forget()
    with live.reading():
        if _log_size(live.path):
            return _copy_pages(live.database, temp_dir, progress)
        return _copy_bytes(live.fd, temp_dir, partial(_showing, progress))


@contextmanager
def _showing(
    progress: Progress, step: Callable[[], AbstractContextManager[None]] = nullcontext
) -> Iterator[None]:
    """A step that shows that the run is at work, and that ends it when it is to stop."""
    progress.pulse()
    progress.checkpoint()
    with step():
        yield


def _connect(path: bytes) -> sqlite3.Connection:
    uri = f"file:{quote(path)}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)  # `_lock` waits


def _lock(database: sqlite3.Connection) -> None:
    """Take the shared lock. SQLite's own waiting soon looks ten times a second only, and never
    meets the gap that an application leaves which writes without a pause."""
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > until:
                raise
        time.sleep(_LOOK_AGAIN)


def _log_size(path: bytes) -> int | None:
    """Bytes in the write-ahead log; None where there is no such file."""
    try:
        return Path(os.fsdecode(path + b"-wal")).stat().st_size
    except FileNotFoundError:
        return None


def _copy_bytes(fd: int, temp_dir: Path, step: Step) -> Path:
    with _temporary(temp_dir) as (handle, name):
        copy_content(fd, handle, step)
    return name


def _copy_pages(database: sqlite3.Connection, temp_dir: Path, progress: Progress) -> Path:
    def show(*_: int) -> None:
        with _showing(progress):
            pass

    with _temporary(temp_dir) as (handle, name):
        with closing(sqlite3.connect(name)) as copy:
            copy.execute("PRAGMA synchronous=OFF")
            database.backup(copy, pages=_BACKUP_PAGES, progress=show, sleep=0)
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
