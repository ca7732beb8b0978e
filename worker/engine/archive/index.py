"""The index of one backup: what is where in its archive. A SQLite file, never held in memory.

While a backup runs the same file is its work list: the scan fills `files`, packing fills in
where each member lies, and what is left in the end is the index that goes into the bucket.
Names are bytes; times are nanoseconds since the epoch; `segment` and `start` say where the
member's header begins: the segment's number and the offset in its unpacked bytes.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from worker.engine.archive.manifest import RECORD

FORMAT = 1
ROOT = 1  # the id of the data folder's own row
PAGE = 2000  # rows fetched at a time
_SMALL = 1024  # pages of 8 KiB; more are not worth the time that making them fewer takes

FILE, DIRECTORY, SYMLINK = "f", "d", "l"

_SCHEMA = """
CREATE TABLE info (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE segments (
    id INTEGER PRIMARY KEY, offset INTEGER NOT NULL, length INTEGER NOT NULL,
    raw_length INTEGER NOT NULL, sha256 BLOB NOT NULL);
CREATE TABLE contents (segment INTEGER PRIMARY KEY, digest BLOB NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name BLOB NOT NULL, kind TEXT NOT NULL,
    mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    segment INTEGER, start INTEGER, note TEXT);
"""


# Of this run alone: files that lie in segments taken over, files packed again in their old
# segments, files with several names, the name that each of those was packed under, and names that
# are to be links to it. Then what of the last archive may be the same as what is read now: segments
# that are packed again as they were, which files lie in them, and segments of large files.
_PASSING = """
CREATE TEMP TABLE kept (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE remade (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE linked (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE packed (dev INTEGER, ino INTEGER, id INTEGER NOT NULL, PRIMARY KEY (dev, ino))
WITHOUT ROWID;
CREATE TEMP TABLE links (id INTEGER PRIMARY KEY, first INTEGER NOT NULL);
CREATE TEMP TABLE again (segment INTEGER, start INTEGER, id INTEGER, PRIMARY KEY (segment, start))
WITHOUT ROWID;
CREATE TEMP TABLE likes (file INTEGER, segment INTEGER, offset INTEGER, length INTEGER,
raw_length INTEGER, sha256 BLOB, content BLOB, PRIMARY KEY (file, segment)) WITHOUT ROWID;
CREATE TEMP TABLE wholes (segment INTEGER PRIMARY KEY, offset INTEGER, length INTEGER,
raw_length INTEGER, sha256 BLOB, content BLOB);
"""
_AGAIN = """
SELECT segment FROM again WHERE segment > ? GROUP BY segment
HAVING max(id IN (SELECT id FROM kept)) = 0 ORDER BY segment LIMIT ?"""
_TOGETHER = """
SELECT f.id, f.parent, f.name, f.kind, f.mode, f.uid, f.gid, f.size, f.mtime_ns, f.ctime_ns,
f.inode FROM again a JOIN files f ON f.id = a.id WHERE a.segment = ? ORDER BY a.start"""
_LIKES = """
SELECT segment, offset, length, raw_length, sha256, content FROM likes
WHERE file = ? ORDER BY segment"""
_LINKS = """
SELECT f.id, f.parent, f.name, f.kind, f.mode, f.uid, f.gid, f.size, f.mtime_ns, f.ctime_ns,
f.inode, o.parent, o.name
FROM links l JOIN files f ON f.id = l.id JOIN files o ON o.id = l.first
WHERE f.id > ? ORDER BY f.id LIMIT ?"""

_DIRECTORIES = """
SELECT id, parent, name, kind, mode, uid, gid, size, mtime_ns, ctime_ns, inode FROM files
WHERE id > ? AND kind = 'd' ORDER BY id LIMIT ?"""
_TOLD = """
SELECT id, parent, name, segment, kind, mode, uid, gid, size, mtime_ns, ctime_ns, inode, start, note
FROM files WHERE id IN (%s) AND segment IS NOT NULL"""
_FILES = _DIRECTORIES.replace("kind = 'd'", "kind <> 'd'")
_OTHERS = _FILES.replace("kind <> 'd'", "kind <> 'd' AND id NOT IN kept AND id NOT IN remade")
_ALL_ANEW = "SELECT NOT EXISTS (SELECT * FROM kept) AND NOT EXISTS (SELECT * FROM remade)"


Row = tuple[int, int, bytes, str, int, int, int, int, int, int, int]  # what `FileRow` names


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


class Like(NamedTuple):
    """A segment of the last archive: what is read now may be what stands in it.

    At [offset, offset + length) there; `content` is the digest of its `raw_length` tar bytes (see
    `content.py`).
    """

    number: int
    offset: int
    length: int
    raw_length: int
    sha256: bytes
    content: bytes


class SegmentRow(NamedTuple):
    """One gzip member (or frame) at [offset, offset + length) of the archive, in bytes.

    `content` is the digest of its tar bytes, empty where nobody asked.
    """

    id: int
    offset: int
    length: int
    raw_length: int
    sha256: bytes
    content: bytes = b""


def create_tables(database: sqlite3.Connection) -> None:
    """Make a fresh file an index without content."""
    database.executescript(_SCHEMA)


def order_by_folder(database: sqlite3.Connection) -> None:
    """Prepare a whole index for looking up names. Not in the bucket: a fifth of its size there."""
    database.execute("CREATE INDEX IF NOT EXISTS files_by_folder ON files (parent, name)")


def add_manifests_segments(database: sqlite3.Connection, records: bytes | bytearray) -> None:
    """Fill the empty `segments` of a sealed archive's index from its manifest's records.

    The bucket holds them once. An index of an older version has them, and is left as it is.
    """
    if database.execute("SELECT count(*) FROM segments").fetchone() != (0,):
        return
    offset = 0
    database.execute("BEGIN")
    for number, (length, raw_length, _, _, sha256) in enumerate(RECORD.iter_unpack(records)):
        row = (number, offset, length, raw_length, sha256)
        database.execute("INSERT INTO segments VALUES (?,?,?,?,?)", row)
        offset += length
    database.execute("COMMIT")


class Index:
    """One index file, opened for building. Used from one thread.

    `noted`: files that got a note since somebody emptied it.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, uri=True)
        # A work file of this run: lost with it, so durability buys nothing.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "page_size=8192", "cache_size=-8192"):
            self._db.execute(f"PRAGMA {pragma}")
        create_tables(self._db)
        self._db.executescript(_PASSING)
        self._db.execute("BEGIN")
        self.noted: set[int] = set()
        self._segments: list[SegmentRow] = []
        self._lookups = False

    def add_files(self, rows: Iterable[Row]) -> None:
        self._db.executemany(
            "INSERT INTO files (id, parent, name, kind, mode, uid, gid, size, mtime_ns, ctime_ns,"
            " inode) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            rows,
        )

    def add_linked(self, rows: Iterable[int]) -> None:
        """Say which files have several names."""
        self._db.executemany("INSERT INTO linked VALUES (?)", ((row,) for row in rows))

    def is_link(self, file_id: int, dev: int, ino: int) -> bool:
        """Whether another name of the file was here before; else this one is the first."""
        query = "INSERT OR IGNORE INTO packed VALUES (?,?,?)"
        if self._db.execute(query, (dev, ino, file_id)).rowcount:
            return False
        query = "INSERT INTO links SELECT ?, id FROM packed WHERE dev = ? AND ino = ?"
        self._db.execute(query, (file_id, dev, ino))
        return True

    def links(self) -> Iterator[tuple[FileRow, bytes]]:
        """Names that are links, and the path below the data folder of what each is a link to."""
        last = 0
        while page := self._db.execute(_LINKS, (last, PAGE)).fetchall():
            for *row, parent, name in page:
                folder = self.path(parent)
                yield FileRow._make(row), folder + b"/" + name if folder else name
            last = page[-1][0]

    def attach(self, base: Path) -> None:
        """Have another backup's finished index at hand as `base`."""
        self._write_segments()
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA trusted_schema=OFF")
        uri = f"file:{quote(str(base))}?mode=ro&immutable=1"
        self._db.execute("ATTACH DATABASE ? AS base", (uri,))
        self._db.execute("BEGIN")

    def detach(self) -> None:
        """Let go of the base."""
        self._write_segments()
        self._db.execute("COMMIT")
        self._db.execute("DETACH DATABASE base")
        self._db.execute("BEGIN")

    def query(self, sql: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> sqlite3.Cursor:
        self._write_segments()
        return self._db.execute(sql, values)

    def script(self, sql: str) -> None:
        """Run several statements, none of which takes values."""
        self._write_segments()
        for statement in filter(str.strip, sql.split(";")):
            self._db.execute(statement)

    def add_segments(self, rows: Iterable[SegmentRow]) -> None:
        """Many at once are cheaper: they are written when there are enough, or when asked for."""
        self._segments.extend(rows)
        if len(self._segments) >= PAGE:
            self._write_segments()

    def _write_segments(self) -> None:
        rows, self._segments = self._segments, []
        insert = self._db.executemany
        insert("INSERT INTO segments VALUES (?,?,?,?,?)", (row[:5] for row in rows))
        insert(
            "INSERT INTO contents VALUES (?,?)",
            ((row.id, row.content) for row in rows if row.content),
        )

    def again(self) -> Iterator[int]:
        """Segments of the last archive that are to be packed as they were, in its order."""
        last = -1
        while page := self._db.execute(_AGAIN, (last, PAGE)).fetchall():
            yield from (number for (number,) in page)
            last = page[-1][0]

    def together(self, segment: int) -> list[FileRow]:
        """The files that lie in it, in their order. From now on `rows` passes over them."""
        found = [FileRow._make(row) for row in self._db.execute(_TOGETHER, (segment,))]
        self._db.executemany("INSERT INTO remade VALUES (?)", ((row.id,) for row in found))
        return found

    def like(self, segment: int) -> Like | None:
        """The segment, if it is one of several files."""
        row = self._db.execute("SELECT * FROM wholes WHERE segment = ?", (segment,)).fetchone()
        return Like._make(row) if row else None

    def likes(self, file_id: int) -> list[Like]:
        """The segments of the last archive that may be the same as the file's, in its order."""
        return [Like._make(row) for row in self._db.execute(_LIKES, (file_id,))]

    def locate(self, places: Iterable[tuple[int, int, int]]) -> None:
        """Say where members lie: (segment, start, file id) each."""
        self._db.executemany("UPDATE files SET segment=?, start=? WHERE id=?", places)

    def restate(
        self, file_id: int, mode: int, uid: int, gid: int, size: int,
        mtime_ns: int, ctime_ns: int, inode: int,
    ) -> None:  # fmt: skip
        """Replace what the scan saw by what was archived."""
        self._db.execute(
            "UPDATE files SET mode=?, uid=?, gid=?, size=?, mtime_ns=?, ctime_ns=?, inode=?"
            " WHERE id=?",
            (mode, uid, gid, size, mtime_ns, ctime_ns, inode, file_id),
        )

    def note(self, file_id: int, code: str) -> None:
        """Remember the warning `code` on a file."""
        self._db.execute("UPDATE files SET note=? WHERE id=?", (code, file_id))
        self.noted.add(file_id)

    def told(self, ids: Iterable[int]) -> Iterator[list[Any]]:
        """Those of the files whose place is known: id, path, segment, kind, mode, uid, gid, size,
        mtime_ns, ctime_ns, inode, start, note; the path as `os.fsdecode` has it."""
        wanted, folders = iter(ids), {ROOT: ""}
        while some := list(islice(wanted, PAGE)):
            query = _TOLD % ",".join("?" * len(some))
            for number, parent, name, *rest in self._db.execute(query, some).fetchall():
                if parent not in folders:
                    folders[parent] = os.fsdecode(self.path(parent)) + "/"
                yield [number, folders[parent] + os.fsdecode(name), *rest]

    def kept_as(self, old: int) -> FileRow | None:
        """The row of a file that is taken over, by its id in the base that was compared with."""
        query = """
        SELECT f.id, parent, name, kind, mode, uid, gid, size, mtime_ns, ctime_ns, inode
        FROM twins t JOIN kept k ON k.id = t.new JOIN main.files f ON f.id = t.new
        WHERE t.old = ?"""
        row = self._db.execute(query, (old,)).fetchone()
        return FileRow._make(row) if row else None

    def begin_lookups(self) -> None:
        """From now on `in_segment` knows."""
        self._db.execute("CREATE INDEX IF NOT EXISTS files_by_segment ON files (segment)")
        self._lookups = True

    def in_segment(self, number: int) -> list[int]:
        """The files that begin in a segment; none before `begin_lookups`."""
        query = "SELECT id FROM files WHERE segment = ?"
        rows = self._db.execute(query, (number,)) if self._lookups else ()
        return [file for (file,) in rows]

    def segment(self, number: int) -> SegmentRow:
        self._write_segments()
        query = """SELECT s.*, coalesce(c.digest, x'') FROM main.segments s
        LEFT JOIN main.contents c ON c.segment = s.id WHERE s.id = ?"""
        return SegmentRow._make(self._db.execute(query, (number,)).fetchone())

    def rows(self, *, directories: bool) -> Iterator[FileRow]:
        """All directories, or all else that is not taken over, in the scan's order.

        Rows may be updated meanwhile.
        """
        last = 0
        (all_anew,) = self._db.execute(_ALL_ANEW).fetchone()
        query = _DIRECTORIES if directories else _FILES if all_anew else _OTHERS
        while page := self._db.execute(query, (last, PAGE)).fetchall():
            yield from map(FileRow._make, page)
            last = page[-1][0]

    def tree(self) -> str:
        """The SHA-256 over all segments' SHA-256s in their order, in hex."""
        self._write_segments()
        digest = hashlib.sha256()
        for (sha256,) in self._db.execute("SELECT sha256 FROM segments ORDER BY id"):
            digest.update(sha256)
        return digest.hexdigest()

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

    def finish(self, info: dict[str, str], *, sealed: bool = False) -> None:
        """Write the facts about the backup and close the file.

        `sealed`: a manifest tells what the segments are (`add_manifests_segments`).
        """
        self._write_segments()
        self._db.executemany("INSERT INTO info VALUES (?,?)", sorted(info.items()))
        if sealed:
            self._db.execute("DELETE FROM segments")
        self._db.execute("COMMIT")
        self._db.execute("DROP INDEX IF EXISTS files_by_segment")
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        if pages <= _SMALL:
            self._db.execute("VACUUM")
        self._db.close()

    def close(self) -> None:
        self._db.close()
