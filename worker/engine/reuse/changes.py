"""What changed since the last backup: the scan's rows against those of its index, in SQL.

Unchanged is what has the same name, kind, size, times, inode, mode and owner, and was changed
last so long before it was read that no later change can have left the same times. A segment is
kept, unread, when all that lies in it is unchanged. Where names and sizes alone are the same, the
segment is packed again as it was, and what is in it compared. All else is packed anew; but slices
of large files are compared as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from worker.engine.archive.index import ROOT, Index
from worker.engine.capture.sqlite_capture import SIDE_FILES
from worker.engine.reuse.layout import Run

# twins: a file then and now; `alike` with the same size, `same` unchanged. members: how many files
# begin in a segment, and how many of them have such a twin.
_TABLES = """
DROP TABLE IF EXISTS temp.pairs; DROP TABLE IF EXISTS temp.sides;
DROP TABLE IF EXISTS temp.twins; DROP TABLE IF EXISTS temp.moved;
DROP TABLE IF EXISTS temp.members;
CREATE TEMP TABLE pairs (new INTEGER PRIMARY KEY, old INTEGER NOT NULL);
CREATE TEMP TABLE sides (parent INTEGER, name BLOB, PRIMARY KEY (parent, name)) WITHOUT ROWID;
CREATE TEMP TABLE twins (old INTEGER PRIMARY KEY, new INTEGER, alike INTEGER, same INTEGER);
CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);
CREATE TEMP TABLE members (segment INTEGER PRIMARY KEY, members INTEGER, alike INTEGER,
same INTEGER);
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
_TWINS = """
INSERT OR IGNORE INTO twins SELECT old, new, alike, alike AND not_read FROM (
    SELECT o.id AS old, n.id AS new,
        o.size = n.size AND (n.parent, n.name) NOT IN (SELECT parent, name FROM sides) AS alike,
        :deep = 0 AND (o.note IS NULL OR o.note IN ('SQLITE_OK', 'SQLITE_NOT_CHECKED'))
        AND o.mtime_ns = n.mtime_ns AND o.ctime_ns = n.ctime_ns
        AND o.inode = n.inode AND o.mode = n.mode AND o.uid = n.uid AND o.gid = n.gid
        AND o.ctime_ns <> 0 AND o.ctime_ns < :before AS not_read
    FROM main.files n JOIN pairs p ON p.new = n.parent
    JOIN base.files o ON o.parent = p.old AND o.name = n.name
    WHERE n.kind <> 'd' AND o.kind = n.kind AND n.note IS NULL AND o.segment IS NOT NULL
    AND n.id NOT IN linked AND n.id NOT IN kept)"""
_MEMBERS = """
INSERT INTO members SELECT f.segment, count(*), coalesce(sum(t.alike), 0), coalesce(sum(t.same), 0)
FROM base.files f LEFT JOIN twins t ON t.old = f.id
WHERE f.segment IS NOT NULL GROUP BY f.segment"""

# Both ways, for what was added and what is gone; folders have no twins.
_DIFFERENT = """
SELECT EXISTS (
    SELECT 1 FROM main.files WHERE kind <> 'd' AND id NOT IN (SELECT new FROM twins WHERE same)
) OR EXISTS (
    SELECT 1 FROM base.files WHERE kind <> 'd' AND id NOT IN (SELECT old FROM twins WHERE same)
) OR EXISTS (
    SELECT 1 FROM base.files WHERE kind = 'd' AND id NOT IN (SELECT old FROM pairs)
) OR EXISTS (
    SELECT 1 FROM main.files n LEFT JOIN pairs p ON p.new = n.id
    LEFT JOIN base.files o ON o.id = p.old
    WHERE n.kind = 'd' AND (o.id IS NULL OR (o.mtime_ns, o.ctime_ns, o.mode, o.uid, o.gid)
        <> (n.mtime_ns, n.ctime_ns, n.mode, n.uid, n.gid)))"""

_SEGMENTS = """
SELECT g.id, g.offset, g.length, m.members, m.same FROM base.segments g
LEFT JOIN members m ON m.segment = g.id ORDER BY g.id"""

# A large file is alone in the segment of its header, and the next ones have no members: its slices.
_AGAIN = """
INSERT INTO again SELECT f.segment, f.start, t.new FROM members m
JOIN base.files f ON f.segment = m.segment JOIN twins t ON t.old = f.id
WHERE m.members = m.alike AND m.segment NOT IN (SELECT old FROM moved)"""
_WHOLES = """
INSERT INTO wholes SELECT g.id, g.offset, g.length, g.raw_length, g.sha256, c.digest
FROM (SELECT DISTINCT segment FROM again) a JOIN base.segments g ON g.id = a.segment
JOIN base.contents c ON c.segment = g.id
WHERE a.segment + 1 IN (SELECT segment FROM members)"""
_LIKES = """
WITH owned AS (
    SELECT g.id, max(m.segment) OVER (ORDER BY g.id) AS head
    FROM base.segments g LEFT JOIN members m ON m.segment = g.id)
INSERT INTO likes SELECT t.new, g.id, g.offset, g.length, g.raw_length, g.sha256, c.digest
FROM owned w JOIN base.files f ON f.segment = w.head AND f.kind = 'f'
JOIN twins t ON t.old = f.id JOIN base.segments g ON g.id = w.id
JOIN base.contents c ON c.segment = g.id
WHERE w.head NOT IN (SELECT old FROM moved)
AND w.head + 1 NOT IN (SELECT segment FROM members)"""

_MOVE_SEGMENTS = """
INSERT INTO main.segments (id, offset, length, raw_length, sha256)
SELECT id + :shift, offset + :bytes, length, raw_length, sha256
FROM base.segments WHERE id BETWEEN :first AND :last"""
_MOVE_CONTENTS = """
INSERT INTO main.contents (segment, digest)
SELECT segment + :shift, digest FROM base.contents WHERE segment BETWEEN :first AND :last"""
_MOVE = """
INSERT INTO moved SELECT id, id + :shift FROM base.segments
WHERE id BETWEEN :first AND :last"""
_KEEP = """
INSERT OR IGNORE INTO kept SELECT t.new FROM twins t JOIN base.files o ON o.id = t.old
JOIN moved m ON m.old = o.segment"""
_LOCATE = """
UPDATE main.files SET segment = m.new, start = o.start, note = o.note
FROM twins t JOIN base.files o ON o.id = t.old JOIN moved m ON m.old = o.segment
WHERE main.files.id = t.new"""
_KEPT = """
SELECT count(*), coalesce(sum(size), 0) FROM main.files WHERE id IN (SELECT id FROM kept)"""


def compare(index: Index, *, before: int, deep: bool = False) -> None:
    """Find what is the same as in the attached base, if last changed `before` (nanoseconds).

    `deep`: nothing is the same unread.
    """
    index.script(_TABLES)
    index.query("INSERT INTO pairs VALUES (?, ?)", (ROOT, ROOT))
    for folder in index.rows(directories=True):
        if folder.id != ROOT:
            index.query(_PAIR, (folder.id, folder.name, folder.parent))
    for suffix in SIDE_FILES:
        for query in (_DATABASES, _SIDES):
            index.query(query, {"suffix": suffix, "length": len(suffix)})
    index.query(_TWINS, {"before": before, "deep": deep})
    index.query(_MEMBERS)


def nothing_changed(index: Index) -> bool:
    """Whether the folder is the base's, in files, folders and all that is known of them."""
    return not index.query(_DIFFERENT).fetchone()[0]


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
        index.query(_MOVE_CONTENTS, moved)
        index.query(_MOVE, moved)
        count += run.last - run.first + 1
        size += run.size
    index.query(_KEEP)
    index.query(_LOCATE)
    files, content = index.query(_KEPT).fetchone()
    return int(files), int(content)


def look_again(index: Index) -> bool:
    """Have the packer compare what may be the same, and was not kept; whether there is any."""
    for query in (_AGAIN, _WHOLES, _LIKES):
        index.query(query)
    return bool(
        index.query(
            "SELECT EXISTS (SELECT 1 FROM wholes UNION ALL SELECT 1 FROM likes)"
        ).fetchone()[0]
    )


def forget(index: Index) -> None:
    """Take back what `keep` has done so far."""
    index.script("""
    DELETE FROM main.segments;
    DELETE FROM main.contents;
    DELETE FROM again;
    DELETE FROM wholes;
    DELETE FROM likes;
    UPDATE main.files SET segment = NULL, start = NULL, note = NULL WHERE segment IS NOT NULL;
    DELETE FROM kept;
    """)
