"""What differs between two backups: added, removed and changed, in path order.

Both indexes are walked side by side, a folder at a time; nothing is kept but two cursors for
each level of folders. A file counts as changed when its size, time, mode or kind does, a link
when its time or kind does, a folder only by mode and kind: its time changes with whatever is
put into it, which is listed anyway.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from operator import itemgetter

from worker.engine.archive.browse import walk
from worker.engine.archive.index import DIRECTORY, FILE
from worker.engine.archive.index_reader import Entry, IndexReader

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
_Pair = tuple[Entry | None, Entry | None]
_END: _Pair = (None, None)

# SQLite passes over what is the same on both sides, which is nearly everything.
_IN_OLD = """
SELECT a.name, a.id, b.id FROM main.files AS a LEFT JOIN newer.files AS b
    ON b.parent = :new AND b.name = a.name AND b.segment IS NOT NULL
WHERE a.parent = :old AND a.name > x'' AND a.name >= :start AND a.segment IS NOT NULL AND (
    b.id IS NULL OR a.kind = 'd' OR a.kind <> b.kind OR a.size <> b.size OR a.mode <> b.mode
    OR a.mtime_ns <> b.mtime_ns)
ORDER BY a.name"""
_ONLY_NEW = """
SELECT b.name, NULL, b.id FROM newer.files AS b
WHERE b.parent = :new AND b.name > x'' AND b.name >= :start
    AND b.segment IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM main.files AS a
    WHERE a.parent = :old AND a.name = b.name AND a.segment IS NOT NULL)
ORDER BY b.name"""


@dataclass(frozen=True)
class Change:
    """`old` is None for what was added, `new` for what was removed; never both."""

    old: Entry | None
    new: Entry | None

    @property
    def what(self) -> str:
        if self.old is None:
            return ADDED
        return REMOVED if self.new is None else CHANGED

    @property
    def path(self) -> bytes:
        entry = self.new or self.old
        assert entry is not None
        return entry.path

    @property
    def fields(self) -> tuple[str, ...]:
        """Which of kind, size, mode and time (`mtime`) are not what they were."""
        if self.old is None or self.new is None:
            return ()
        return _differing(self.old, self.new)


@dataclass
class Count:
    """`entries` of any kind; `bytes` of the files among them."""

    entries: int = 0
    bytes: int = 0

    def add(self, entry: Entry) -> None:
        self.entries += 1
        self.bytes += entry.size


class Counts:
    """Sums over changes; of the changed the new size counts."""

    def __init__(self) -> None:
        self.added, self.removed, self.changed = Count(), Count(), Count()

    def add(self, change: Change) -> None:
        entry = change.new or change.old
        assert entry is not None
        {ADDED: self.added, REMOVED: self.removed, CHANGED: self.changed}[change.what].add(entry)

    def as_dict(self) -> dict[str, dict[str, int]]:
        """`{"added": {"entries", "bytes"}, "removed": …, "changed": …}`"""
        counts = {ADDED: self.added, REMOVED: self.removed, CHANGED: self.changed}
        return {what: {"entries": c.entries, "bytes": c.bytes} for what, c in counts.items()}


def diff(old: IndexReader, new: IndexReader, *, after: bytes | None = None) -> Iterator[Change]:
    """All changes from `old` to `new`: a folder's own first, then those in it, then its next.

    `after` is the path of the last change of an earlier call, to go on behind it.
    """
    way = tuple(after.split(b"/")) if after else ()
    with old.beside(new) as both, ExitStack() as levels:
        if after is None and _differing(old.root, new.root):
            yield Change(old.root, new.root)
        waiting = [(_pairs(both, old, new, (old.root, new.root), way), way)]
        levels.callback(_close, waiting)
        while waiting:
            pairs, way = waiting[-1]
            before, behind = next(pairs, _END)
            passed = _leads_to(before or behind, way)  # it has been told, or lies above what was
            if before is not None and behind is not None and before.kind == behind.kind:
                if not passed and _differing(before, behind):
                    yield Change(before, behind)
                if before.is_folder:
                    rest = way[1:] if passed else ()
                    waiting.append((_pairs(both, old, new, (before, behind), rest), rest))
            elif before is not None or behind is not None:
                changes = _whole(old, new, before, behind)
                yield from _behind(changes, after) if passed and after else changes
            else:
                waiting.pop()


def _close(waiting: list[tuple[Generator[_Pair, None, None], tuple[bytes, ...]]]) -> None:
    """Queries end before their connection does, also when whoever reads has left early."""
    for pairs, _ in waiting:
        pairs.close()


def _leads_to(entry: Entry | None, way: tuple[bytes, ...]) -> bool:
    return bool(entry and way and entry.name == way[0])


def _behind(changes: Iterator[Change], after: bytes) -> Iterator[Change]:
    told = after.split(b"/")
    return (change for change in changes if change.path.split(b"/") > told)


def _whole(
    old: IndexReader, new: IndexReader, before: Entry | None, after: Entry | None
) -> Iterator[Change]:
    """What one side alone has, or has as another kind, with all that is below."""
    gone = walk(old, before) if before is not None else iter(())
    come = walk(new, after) if after is not None else iter(())
    if before is not None and after is not None:
        yield Change(next(gone), next(come))
    yield from (Change(entry, None) for entry in gone)
    yield from (Change(None, entry) for entry in come)


def _pairs(
    both: sqlite3.Connection,
    old: IndexReader,
    new: IndexReader,
    folder: tuple[Entry, Entry],
    way: tuple[bytes, ...],
) -> Generator[_Pair, None, None]:
    """Entries of a folder that may differ, by name, from the first of `way` on; None for the
    side without one."""
    before, after = folder
    prefix = before.path + b"/" if before.path else b""
    known = {"old": before.id, "new": after.id, "start": way[0] if way else b""}
    rows = heapq.merge(
        both.execute(_IN_OLD, known), both.execute(_ONLY_NEW, known), key=itemgetter(0)
    )
    for name, one, two in rows:
        path = prefix + name
        yield (
            None if one is None else old.row(one, path),
            None if two is None else new.row(two, path),
        )


def _differing(old: Entry, new: Entry) -> tuple[str, ...]:
    folder, file = new.kind == DIRECTORY, new.kind == FILE
    differs = {
        "kind": old.kind != new.kind,
        "size": old.size != new.size,
        "mode": old.mode != new.mode and (file or folder),
        "mtime": old.mtime_ns != new.mtime_ns and not folder,
    }
    return tuple(name for name, is_so in differs.items() if is_so)
