"""What changed since the last backup: the scan's rows against those of its index, in SQL.

Unchanged is what has the same name, kind, size, times, inode, mode and owner, and was changed
last so long before it was read that no later change can have left the same times. All else is
packed again. A segment is kept when all that lies in it is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from worker.engine.archive.index import ROOT, Index
from worker.engine.capture.sqlite_capture import SIDE_FILES
from worker.engine.reuse.layout import Run

_TABLES = """
DROP TABLE IF EXISTS temp.pairs; DROP TABLE IF EXISTS temp.sides;
DROP TABLE IF EXISTS temp.same; DROP TABLE IF EXISTS temp.moved;
CREATE TEMP TABLE pairs (new INTEGER PRIMARY KEY, old INTEGER NOT NULL);
CREATE TEMP TABLE sides (parent INTEGER, name BLOB, PRIMARY KEY (parent, name)) WITHOUT ROWID;
CREATE TEMP TABLE same (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);
CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);
"""
_PAIR = """
INSERT INTO pairs SELECT ?, o.id FROM pairs p JOIN base.files o
ON o.parent = p.old AND o.name = ? AND o.kind = 'd' WHERE p.new = ? LIMIT 1"""

# Databases whose write-ahead log or journal lies beside them: "name" of "name-wal". And those logs
# themselves: saved beside a database that was saved as files, they would spoil one that is
# captured this time.
_DATABASES = """
INSERT OR IGNORE INTO sides SELECT parent, substr(name, 1, length(name) - :length) FROM main.files
WHERE kind = 'f' AND substr(name, -:length) = :suffix"""
_SIDES = """
INSERT OR IGNORE INTO sides SELECT parent, name FROM main.files
WHERE kind = 'f' AND substr(name, -:length) = :suffix"""

# A database captured while its log had content has the ctime 0 in the index: never the same.
_SAME = """
INSERT OR IGNORE INTO same SELECT o.id, n.id FROM main.files n
JOIN pairs p ON p.new = n.parent
JOIN base.files o ON o.parent = p.old AND o.name = n.name
WHERE n.kind <> 'd' AND o.kind = n.kind AND n.note IS NULL
AND o.segment IS NOT NULL AND (o.note IS NULL OR o.note IN ('SQLITE_OK', 'SQLITE_NOT_CHECKED'))
AND o.size = n.size AND o.mtime_ns = n.mtime_ns AND o.ctime_ns = n.ctime_ns
AND o.inode = n.inode AND o.mode = n.mode AND o.uid = n.uid AND o.gid = n.gid
AND o.ctime_ns <> 0 AND o.ctime_ns < :before
AND n.id NOT IN (SELECT id FROM linked) AND n.id NOT IN (SELECT id FROM kept)
AND (n.parent, n.name) NOT IN (SELECT parent, name FROM sides)"""

_SEGMENTS = """
SELECT g.id, g.offset, g.length, m.members, m.same FROM base.segments g LEFT JOIN (
    SELECT f.segment AS id, count(*) AS members, count(s.old) AS same
    FROM base.files f LEFT JOIN same s ON s.old = f.id
    WHERE f.segment IS NOT NULL GROUP BY f.segment
) m ON m.id = g.id ORDER BY g.id"""

_MOVE_SEGMENTS = """
INSERT INTO main.segments (id, offset, length, raw_length, sha256)
SELECT id + :shift, offset + :bytes, length, raw_length, sha256
FROM base.segments WHERE id BETWEEN :first AND :last"""
_MOVE = """
INSERT INTO moved SELECT id, id + :shift FROM base.segments
WHERE id BETWEEN :first AND :last"""
_KEEP = """
INSERT INTO kept SELECT s.new FROM same s JOIN base.files o ON o.id = s.old
JOIN moved m ON m.old = o.segment"""
_LOCATE = """
UPDATE main.files SET segment = m.new, start = o.start, note = o.note
FROM same s JOIN base.files o ON o.id = s.old JOIN moved m ON m.old = o.segment
WHERE main.files.id = s.new"""
_KEPT = """
SELECT count(*), coalesce(sum(size), 0) FROM main.files WHERE id IN (SELECT id FROM kept)"""


def compare(index: Index, *, before: int) -> None:
    """Find what is the same as in the attached base, if last changed `before` (nanoseconds)."""
    index.script(_TABLES)
    index.query("INSERT INTO pairs VALUES (?, ?)", (ROOT, ROOT))
    for folder in index.rows(directories=True):
        if folder.id != ROOT:
            index.query(_PAIR, (folder.id, folder.name, folder.parent))
    for suffix in SIDE_FILES:
        for query in (_DATABASES, _SIDES):
            index.query(query, {"suffix": suffix, "length": len(suffix)})
    index.query(_SAME, {"before": before})


def unchanged_segments(index: Index) -> Iterator[tuple[int, int, int]]:
    """Number, offset and length of each of the base's segments that may be kept, in order.

    A segment in which no member begins goes on with the file whose header stands before it.
    """
    keep = False
    for number, offset, length, members, same in index.query(_SEGMENTS):
        if members is not None:
            keep = members == same
        if keep:
            yield number, offset, length


def keep(index: Index, runs: Iterable[Run], *, first: int = 0, start: int = 0) -> tuple[int, int]:
    """Take the runs over into the index, as segments from `first` on, from the byte `start` on.

    Counts all files kept so far, and their bytes.
    """
    count, size = first, start
    for run in runs:
        moved = {"first": run.first, "last": run.last, "shift": count - run.first}
        index.query(_MOVE_SEGMENTS, {**moved, "bytes": size - run.start})
        index.query(_MOVE, moved)
        count += run.last - run.first + 1
        size += run.size
    index.query(_KEEP)
    index.query(_LOCATE)
    files, content = index.query(_KEPT).fetchone()
    return int(files), int(content)


def forget(index: Index) -> None:
    """Take back what `keep` has done so far."""
    index.script("""
    DELETE FROM main.segments;
    UPDATE main.files SET segment = NULL, start = NULL, note = NULL WHERE segment IS NOT NULL;
    DELETE FROM kept;
    """)
