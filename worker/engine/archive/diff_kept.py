"""The difference of two backups, worked out once and kept, so that any page of it is at once there.

To walk two indexes of a million files takes seconds, to read a page of the outcome milliseconds.
What is kept are the rows' numbers in both indexes, in order, and the sums. Indexes never change,
so neither does the difference of two of them.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.engine.archive.browse import PAGE
from worker.engine.archive.diff import Change, Count, Counts, diff
from worker.engine.archive.index_cache import IndexCache
from worker.engine.archive.index_reader import IndexReader, connect
from worker.engine.extract.target_errors import as_target_error

CACHE = "diff-cache"
_ENTRIES, _SIZE = 20, 1024 * 1024 * 1024  # of differences kept, and of their bytes
_SCHEMA = """
CREATE TABLE changes (id INTEGER PRIMARY KEY, old INTEGER, new INTEGER);
CREATE TABLE totals (what TEXT PRIMARY KEY, entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
"""
_PAGE = "SELECT id, old, new FROM changes WHERE id > ? ORDER BY id LIMIT ?"


@dataclass(frozen=True)
class DiffPage:
    """`last` is the number of its last change, to go on behind; `more`: not the last page."""

    changes: list[Change]
    last: int
    more: bool


class KeptDiff:
    """An opened difference from `old` to `new`."""

    def __init__(self, path: Path, old: IndexReader, new: IndexReader) -> None:
        self._db, self._old, self._new = connect(path), old, new

    def page(self, after: int = 0, limit: int = PAGE) -> DiffPage:
        """The changes behind the number `after`, in the order of `diff`; at most 1000."""
        limit = max(1, min(limit, PAGE))
        rows = self._db.execute(_PAGE, (after, limit + 1)).fetchall()
        page = rows[:limit]
        changes = [self._change(old, new) for _, old, new in page]
        return DiffPage(changes, page[-1][0] if page else after, more=len(rows) > limit)

    def counts(self) -> Counts:
        """The sums over all changes."""
        counts = Counts()
        for what, entries, size in self._db.execute("SELECT what, entries, bytes FROM totals"):
            setattr(counts, what, Count(entries, size))
        return counts

    def close(self) -> None:
        self._db.close()

    def _change(self, old: int | None, new: int | None) -> Change:
        after = None if new is None else self._new.row(new)
        before = None if old is None else self._old.row(old, after and after.path)
        return Change(before, after)


@contextmanager
def open_diff(folder: Path, old: IndexReader, new: IndexReader) -> Iterator[KeptDiff]:
    """The difference of two opened indexes, out of the cache in `folder` or worked out now.

    Raises `TargetError` where it cannot be kept, and what `diff` raises.
    """
    cache = IndexCache(folder, entries=_ENTRIES, size=_SIZE)
    name = f"{old.file.name}\0{new.file.name}"  # each stands for a key and a checksum
    path = cache.find(name)
    if path is None:
        with as_target_error("keeping the difference of two backups"), cache.adding(name) as part:
            _work_out(part, old, new)
        path = cache.find(name)
        assert path is not None
    try:
        with closing(KeptDiff(path, old, new)) as kept:
            yield kept
    except sqlite3.DatabaseError:
        cache.drop(name)
        raise


def _work_out(path: Path, old: IndexReader, new: IndexReader) -> None:
    counts = Counts()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in ("journal_mode=OFF", "synchronous=OFF"):  # lost with its process: no harm
            db.execute(f"PRAGMA {pragma}")
        db.executescript(_SCHEMA)
        db.execute("BEGIN")
        try:
            db.executemany("INSERT INTO changes (old, new) VALUES (?,?)", _rows(old, new, counts))
            totals = [(what, *count.values()) for what, count in counts.as_dict().items()]
            db.executemany("INSERT INTO totals VALUES (?,?,?)", totals)
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            raise OSError(errno.ENOSPC, "No space left on device") from error


def _rows(
    old: IndexReader, new: IndexReader, counts: Counts
) -> Iterator[tuple[int | None, int | None]]:
    for change in diff(old, new):
        counts.add(change)
        yield change.old and change.old.id, change.new and change.new.id
