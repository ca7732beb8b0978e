"""Opens the index of one backup: fetched, checked, kept unpacked in a local cache.

What may be believed: of an encrypted backup the sealed manifest, which pins the index by its
size and SHA-256; of a plain one only the metadata's checksum, so there whoever can write to the
bucket can write the index too. Therefore every index is hostile until `index_check` passed it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from worker.engine.archive.index import (
    DIRECTORY,
    FILE,
    ROOT,
    SegmentRow,
    add_manifests_segments,
    order_by_folder,
)
from worker.engine.archive.index_cache import IndexCache
from worker.engine.archive.index_check import check_index
from worker.engine.archive.index_fetch import Pin, cache_name, fetch_index, find_pin
from worker.engine.catalogue import BackupInfo
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.extract.refusals import shown
from worker.engine.extract.target_errors import as_target_error
from worker.engine.storage import Storage

CACHE = "index-cache"
_LONGEST_VALUE = 1024 * 1024  # bytes; the longest of ours is a name
_DEEPEST = 4096  # folders above a file: a path cannot be longer

_ROW = """
SELECT id, parent, name, kind, mode, uid, gid, size, mtime_ns, coalesce(segment, -1),
coalesce(start, 0), note FROM files WHERE id = ?"""
# What has no segment was seen by the scan but is not in the archive: a database's log, which is
# part of the database, or what could not be saved; then a note says why.
_CHILD = _ROW.replace("id = ?", "id > 1 AND parent = ? AND name = ? AND segment IS NOT NULL")
_CHILDREN = _CHILD.replace("name = ?", "name > ?") + " ORDER BY name LIMIT ?"
_SEEN_CHILDREN = _CHILDREN.replace(
    "segment IS NOT NULL", "(segment IS NOT NULL OR note IS NOT NULL)"
)


class Entry(NamedTuple):
    """One file, folder or link of a backup. `path` is below the data folder, b"" for itself.

    `kind` is `f`, `d` or `l`; `size` in bytes, 0 but for files; `note` a warning's code or None.
    `segment` and `start` say where the member's header begins; an entry that `is_missing` was not
    saved, and is there to be told of.
    """

    id: int
    parent: int
    path: bytes
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    segment: int
    start: int
    note: str | None

    @property
    def name(self) -> bytes:
        return self.path.rpartition(b"/")[2]

    @property
    def is_missing(self) -> bool:
        return self.segment < 0

    @property
    def is_folder(self) -> bool:
        return self.kind == DIRECTORY

    @property
    def is_file(self) -> bool:
        return self.kind == FILE


class IndexReader:
    """One opened index. For one thread at a time; memory does not grow with its size."""

    def __init__(self, path: Path) -> None:
        self._db, self._path = connect(path), path
        self.root = self.row(ROOT, b"")

    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        return self._db.execute(sql, parameters)

    def children(
        self, folder: Entry, after: bytes, limit: int, *, missing: bool = False
    ) -> list[Entry]:
        """Entries of a folder with names behind `after`, in the order of their names' bytes; with
        those that could not be saved, if asked for."""
        prefix = folder.path + b"/" if folder.path else b""
        rows = self.query(_SEEN_CHILDREN if missing else _CHILDREN, (folder.id, after, limit))
        return [_entry(row, prefix + row[2]) for row in rows]

    def find(self, path: bytes) -> Entry | None:
        """What lies at a path below the data folder; b"" is the data folder."""
        found = self.root
        for name in path.split(b"/") if path else ():
            row = self.query(_CHILD, (found.id, name)).fetchone()
            if row is None:
                return None
            found = _entry(row, found.path + b"/" + name if found.path else name)
        return found

    def entry(self, path: bytes) -> Entry:
        """As `find`; `ArchiveError` (PATH_NOT_FOUND) when there is nothing."""
        found = self.find(path)
        if found is None:
            raise path_not_found(path)
        return found

    def row(self, number: int, path: bytes | None = None) -> Entry:
        """The entry with that id. `path` where it is known already."""
        row = self.query(_ROW, (number,)).fetchone()
        if row is None:
            raise sqlite3.DatabaseError("a row that others refer to is missing")
        return _entry(row, self.path(number) if path is None else path)

    def path(self, number: int) -> bytes:
        """The path of the entry with that id, found through its folders."""
        names: list[bytes] = []
        while number != ROOT:
            row = self.query("SELECT parent, name FROM files WHERE id = ?", (number,)).fetchone()
            if row is None or len(names) > _DEEPEST:
                raise sqlite3.DatabaseError("an entry lies in no folder")
            number = row[0]
            names.append(row[1])
        return b"/".join(reversed(names))

    def name(self, number: int) -> bytes:
        """The last part of the path of the entry with that id."""
        return bytes(self.query("SELECT name FROM files WHERE id = ?", (number,)).fetchone()[0])

    def segment(self, number: int) -> SegmentRow | None:
        row = self.query("SELECT * FROM segments WHERE id = ?", (number,)).fetchone()
        return None if row is None else SegmentRow(*row)

    @property
    def file(self) -> Path:
        """The unpacked index, a SQLite file. Nobody writes to it."""
        return self._path

    @contextmanager
    def beside(self, newer: IndexReader) -> Iterator[sqlite3.Connection]:
        """Another connection to this index (`main`), with that one attached as `newer`."""
        db = connect(self._path)
        try:
            db.execute("ATTACH DATABASE ? AS newer", (_uri(newer._path),))
            yield db
        finally:
            db.close()

    def close(self) -> None:
        self._db.close()


@contextmanager
def open_index(
    storage: Storage, plan: PlanConfig, backup: BackupInfo, cache_dir: Path | None = None
) -> Iterator[IndexReader]:
    """The index of `backup`, out of the cache or the bucket.

    Raises `ArchiveError`: INDEX_MISSING (none there, or nothing that vouches for it: read the
    archive through instead), INDEX_DAMAGED, INDEX_FOREIGN (of another backup), and what is wrong
    with an encrypted archive's end; `KeyMismatch`, `StorageError`, `TargetError`.
    """
    cache = IndexCache(cache_dir or plan.temp_dir / CACHE)
    with as_target_error("keeping the backup's index"):
        name, path = _cached(storage, plan, backup, cache)
    try:
        reader = IndexReader(path)
        try:
            yield reader
        finally:
            reader.close()
    except sqlite3.DatabaseError as error:
        cache.drop(name)  # a fault of the local disk mends itself with the next fetch
        raise index_damaged(str(error)) from error


def connect(path: Path) -> sqlite3.Connection:
    """A connection that can only read, and that believes nothing in the file's schema."""
    db = sqlite3.connect(_uri(path), uri=True, isolation_level=None, check_same_thread=False)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON", "cache_size=-8192"):
        db.execute(f"PRAGMA {pragma}")
    return db


def order(path: Path) -> None:
    """Prepare an index that was checked for an `IndexReader`."""
    with closing(writing(path)) as db:
        order_by_folder(db)


def writing(path: Path) -> sqlite3.Connection:
    """A connection to a file that nobody reads yet, and that is fetched again if it gets lost."""
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("trusted_schema=OFF", "journal_mode=OFF", "synchronous=OFF"):
        db.execute(f"PRAGMA {pragma}")
    return db


def _uri(path: Path) -> str:
    return f"file:{quote(str(path))}?mode=ro&immutable=1"


def index_damaged(why: str) -> ArchiveError:
    return ArchiveError(
        f"The backup's index cannot be used: {why}.",
        code="INDEX_DAMAGED",
        hint="The backup itself may be whole: verify it.",
    )


def path_not_found(path: bytes) -> ArchiveError:
    return ArchiveError(
        f"The backup holds nothing at {shown(path)!r}.",
        code="PATH_NOT_FOUND",
        hint="Paths are relative to the data folder; `tarkeep ls` shows them.",
    )


def _cached(
    storage: Storage, plan: PlanConfig, backup: BackupInfo, cache: IndexCache
) -> tuple[str, Path]:
    """The entry's name and file. The metadata only says where to look: what lies in the cache
    under this key and checksum was vouched for when it was put there."""
    hint = cache_name(backup)
    if hint is not None and (path := cache.find(hint)):
        return hint, path
    pin = find_pin(storage, plan, backup)
    name = pin.cache_name(backup.key)
    if path := cache.find(name):
        return name, path
    with cache.adding(name) as part:
        _fill(storage, backup, pin, part)
    path = cache.find(name)
    assert path is not None
    return name, path


def _fill(storage: Storage, backup: BackupInfo, pin: Pin, part: Path) -> None:
    fetch_index(storage, backup, pin, part)
    try:
        with closing(writing(part)) as db:
            add_manifests_segments(db, pin.records)
        with closing(connect(part)) as db:
            check_index(db, backup)
        order(part)
    except sqlite3.DatabaseError as error:
        raise index_damaged(str(error)) from error


def _entry(row: tuple[Any, ...], path: bytes) -> Entry:
    return Entry(row[0], row[1], path, *row[3:])
