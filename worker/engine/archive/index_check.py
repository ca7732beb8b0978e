"""Whether a SQLite file is an index as we write them. Asked once, before it is used.

SQLite itself is told to believe nothing (see `connect`); here every value is bounded, so that
those who read the index later need not doubt it.
"""

from __future__ import annotations

import sqlite3
from pathlib import PurePosixPath

from worker.engine.archive.codec import MAX_RAW
from worker.engine.archive.frames import HEADER_SIZE, MAX_BODY
from worker.engine.archive.index import FORMAT
from worker.engine.catalogue import BackupInfo
from worker.engine.errors import ArchiveError

_SCHEMA = {
    ("table", "info"),
    ("table", "segments"),
    ("table", "files"),
}

_CONTENTS = ("table", "contents")  # only the next backup needs it
_MAY_BE = {_CONTENTS, ("index", "files_by_folder")}  # the latter in those of older versions

# A parent has a smaller id than what lies in it, so that no chain of folders is a circle.
_BAD_FILES = """
SELECT count(*) FROM files WHERE id > 1 AND (
    typeof(parent) <> 'integer' OR parent < 1 OR parent >= id
    OR typeof(name) <> 'blob' OR length(name) NOT BETWEEN 1 AND 255
    OR instr(name, x'2f') OR instr(name, x'00') OR name IN (x'2e', x'2e2e'))"""
_BAD_VALUES = """
SELECT count(*) FROM files WHERE kind NOT IN ('f', 'd', 'l')
    OR typeof(mode) <> 'integer' OR mode NOT BETWEEN 0 AND 4095
    OR typeof(uid) <> 'integer' OR uid < 0 OR typeof(gid) <> 'integer' OR gid < 0
    OR typeof(size) <> 'integer' OR size < 0 OR typeof(mtime_ns) <> 'integer'
    OR typeof(note) NOT IN ('text', 'null') OR length(note) > 100
    OR (segment IS NOT NULL AND (typeof(segment) <> 'integer' OR typeof(start) <> 'integer'
        OR segment NOT BETWEEN 0 AND :last OR start NOT BETWEEN 0 AND :raw))"""
_BAD_SEGMENTS = """
SELECT count(*) FROM segments WHERE
    typeof(offset) <> 'integer' OR offset < 0
    OR typeof(length) <> 'integer' OR length NOT BETWEEN 1 AND :frame
    OR offset > :size - length
    OR typeof(raw_length) <> 'integer' OR raw_length NOT BETWEEN 1 AND :raw
    OR typeof(sha256) <> 'blob' OR length(sha256) <> 32"""
_BAD_CONTENTS = """
SELECT count(*) FROM contents WHERE segment NOT IN (SELECT id FROM segments)
    OR typeof(digest) <> 'blob' OR length(digest) <> 16"""


def check_index(db: sqlite3.Connection, backup: BackupInfo) -> None:
    """Raises `ArchiveError`: INDEX_DAMAGED, INDEX_FOREIGN (of another backup),
    FORMAT_UNSUPPORTED; `sqlite3.DatabaseError` when it is no sound SQLite file."""
    _check_schema(db)
    _check_info(db, backup)
    _check_segments(db, backup.size)
    _check_files(db)


def _check_schema(db: sqlite3.Connection) -> None:
    found = db.execute("SELECT type, name, rootpage FROM sqlite_master LIMIT 20").fetchall()
    names = {(kind, name) for kind, name, _ in found}
    if names - _MAY_BE != _SCHEMA or not all(page for *_, page in found):
        raise sqlite3.DatabaseError("it holds other tables than an index")
    for table in (name for kind, name in names if kind == "table"):
        if any(column[6] for column in db.execute(f"PRAGMA table_xinfo({table})")):
            raise sqlite3.DatabaseError("it computes values by itself")


def _check_info(db: sqlite3.Connection, backup: BackupInfo) -> None:
    info = dict(db.execute("SELECT key, value FROM info LIMIT 100").fetchall())
    if info.get("format") != str(FORMAT):
        raise ArchiveError(
            "The backup's index is of a format that this version does not read.",
            code="FORMAT_UNSUPPORTED",
            hint="Update Tarkeep.",
        )
    if info.get("name") != PurePosixPath(backup.key).name:
        raise ArchiveError(
            "The index is the one of another backup.",
            code="INDEX_FOREIGN",
            hint="The backup itself may be whole: verify it.",
        )


def _check_segments(db: sqlite3.Connection, size: int) -> None:
    count, first, last = db.execute("SELECT count(*), min(id), max(id) FROM segments").fetchone()
    if (first, last) != (0, count - 1):
        raise sqlite3.DatabaseError("its segments are not numbered through")
    bounds = {"frame": HEADER_SIZE + MAX_BODY, "raw": MAX_RAW, "size": size}
    _none(db, _BAD_SEGMENTS, bounds, "a segment is out of bounds")
    if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'contents'").fetchone()[0]:
        _none(db, _BAD_CONTENTS, {}, "a segment's content is out of bounds")


def _check_files(db: sqlite3.Connection) -> None:
    (last,) = db.execute("SELECT max(id) FROM segments").fetchone()
    root = db.execute("SELECT kind, parent, name FROM files WHERE id = 1").fetchone()
    if root != ("d", 1, b""):
        raise sqlite3.DatabaseError("it has no data folder")
    _none(db, _BAD_FILES, {}, "a name or its folder is out of bounds")
    _none(db, _BAD_VALUES, {"last": last, "raw": MAX_RAW}, "a value is out of bounds")


def _none(db: sqlite3.Connection, query: str, bounds: dict[str, int], what: str) -> None:
    if db.execute(query, bounds).fetchone() != (0,):
        raise sqlite3.DatabaseError(what)
