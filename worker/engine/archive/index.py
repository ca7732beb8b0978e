"""The index of one backup: what is where in its archive. A SQLite file, never held in memory.

While a backup runs the same file is its work list: the scan fills `files`, packing fills in
where each member lies, and what is left in the end is the index that goes into the bucket.
Names are bytes; times are nanoseconds since the epoch; `segment` and `start` say where the
member's header begins: the segment's number and the offset in its unpacked bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

FORMAT = 1
ROOT = 1  # the id of the data folder's own row
PAGE = 2000  # rows fetched at a time

FILE, DIRECTORY, SYMLINK = "f", "d", "l"

_SCHEMA = """
CREATE TABLE info (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE segments (
    id INTEGER PRIMARY KEY, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    raw_length INTEGER NOT NULL, sha256 BLOB NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name BLOB NOT NULL, kind TEXT NOT NULL,
    mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    segment INTEGER, start INTEGER, note TEXT);
"""


_DIRECTORIES = """
SELECT id, parent, name, kind, mode, uid, gid, size, mtime_ns, ctime_ns, inode FROM files
WHERE id > ? AND kind = 'd' ORDER BY id LIMIT ?"""
_OTHERS = _DIRECTORIES.replace("kind = 'd'", "kind <> 'd'")


class FileRow(NamedTuple):
    """One file, folder or link as the scan saw it. `size` in bytes, 0 but for files."""

    id: int
    parent: int
    name: bytes
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class SegmentRow(NamedTuple):
    """One gzip member (or frame) at [offset, offset + length) of the archive, in bytes."""

    id: int
    offset: int
    length: int
    raw_length: int
    sha256: bytes


class Index:
    """One index file, opened for building. Used from one thread."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # A work file of this run: lost with it, so durability buys nothing.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "page_size=8192", "cache_size=-8192"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")

    def add_files(self, rows: Iterable[FileRow]) -> None:
        self._db.executemany(
            "INSERT INTO files (id, parent, name, kind, mode, uid, gid, size, mtime_ns, ctime_ns,"
            " inode) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            rows,
        )

    def add_segments(self, rows: Iterable[SegmentRow]) -> None:
        self._db.executemany("INSERT INTO segments VALUES (?,?,?,?,?)", rows)

    def locate(self, places: Iterable[tuple[int, int, int]]) -> None:
        """Say where members lie: (segment, start, file id) each."""
        self._db.executemany("UPDATE files SET segment=?, start=? WHERE id=?", places)

    def note(self, file_id: int, code: str) -> None:
        """Remember the warning `code` on a file."""
        self._db.execute("UPDATE files SET note=? WHERE id=?", (code, file_id))

    def rows(self, *, directories: bool) -> Iterator[FileRow]:
        """All directories, or all else, in the scan's order. Rows may be updated meanwhile."""
        last = 0
        query = _DIRECTORIES if directories else _OTHERS
        while page := self._db.execute(query, (last, PAGE)).fetchall():
            yield from map(FileRow._make, page)
            last = page[-1][0]

    def path(self, directory: int) -> bytes:
        """A directory's path below the data folder, without slashes at its ends; b"" for it."""
        parts: list[bytes] = []
        while directory != ROOT:
            parent, name = self._db.execute(
                "SELECT parent, name FROM files WHERE id=?", (directory,)
            ).fetchone()
            parts.append(name)
            directory = parent
        return b"/".join(reversed(parts))

    def finish(self, info: dict[str, str]) -> None:
        """Write the facts about the backup, index for browsing, and close the file."""
        self._db.executemany("INSERT INTO info VALUES (?,?)", sorted(info.items()))
        self._db.execute("COMMIT")
        self._db.execute("CREATE INDEX files_by_folder ON files (parent, name)")
        self._db.close()

    def close(self) -> None:
        self._db.close()
