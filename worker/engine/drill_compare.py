"""Is a restored folder what its backup's index says? Every path, type, size, mode and time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from worker.engine.archive.index import DIRECTORY, FILE, SYMLINK
from worker.engine.archive.index_reader import Entry, IndexReader
from worker.engine.errors import ArchiveError
from worker.engine.extract.refusals import shown
from worker.engine.progress import Progress
from worker.engine.swap.entry import Entries
from worker.engine.swap.tree import walk

_TYPES = {FILE: stat.S_IFREG, DIRECTORY: stat.S_IFDIR, SYMLINK: stat.S_IFLNK}
_RESTORED_BITS = {FILE: 0o777, DIRECTORY: 0o3777, SYMLINK: 0}  # set-user-id never comes back
_SECOND = 1_000_000_000
_TIMES = range(-(2**31), 2**33)  # seconds that every file system can keep
_EVERY = 1000  # entries between two signs of life


def compare(index: IndexReader, folder: Path, progress: Progress) -> int:
    """How many entries there are, all as the index has them.

    Raises `ArchiveError` (DRILL_DIFFERS) with the number of differences and the first of them.
    """
    differences, count = [], 0
    with closing(Entries(folder)) as restored:
        for count, entry in enumerate(_entries(index), 1):
            if told := _difference(restored, entry):
                differences.append(f"{shown(entry.path) or 'data'} {told}")
            if not count % _EVERY:
                progress.advance()
                progress.checkpoint()
        found = 1 + sum(1 for _ in walk(restored))
    if found > count:
        differences.append(f"{found - count} entries that the index does not have")
    if differences:
        raise _differs(differences)
    return count


def _entries(index: IndexReader) -> Iterator[Entry]:
    folder = lru_cache(maxsize=4096)(index.path)
    ids = index.query("SELECT id FROM files WHERE segment IS NOT NULL ORDER BY id")
    for (number,) in ids:
        entry = index.row(number, b"")
        if number != index.root.id:
            parent, name = folder(entry.parent), index.name(number)
            entry = entry._replace(path=parent + b"/" + name if parent else name)
        yield entry


def _difference(restored: Entries, entry: Entry) -> str:
    """What is not as it should be, "" for nothing."""
    try:
        info = restored.info(entry.path) if entry.path else os.fstat(restored.root)
    except NotADirectoryError:
        info = None
    if info is None:
        return "is missing"
    if stat.S_IFMT(info.st_mode) != _TYPES[entry.kind]:
        return "is something else"
    captured = entry.note is not None and entry.note.startswith("SQLITE_")
    if entry.kind == FILE and not captured and info.st_size != entry.size:
        return f"has {info.st_size} bytes instead of {entry.size}"
    bits = _RESTORED_BITS[entry.kind]
    if (info.st_mode ^ entry.mode) & bits:
        return f"has mode {info.st_mode & bits:o} instead of {entry.mode & bits:o}"
    return "" if _same_time(info.st_mtime_ns, entry.mtime_ns) else "has another time of change"


def _same_time(found: int, wanted: int) -> bool:
    """To two seconds: some file systems keep no finer ones. None keeps all that can be written."""
    return abs(found - wanted) < 2 * _SECOND or wanted // _SECOND not in _TIMES


def _differs(differences: list[str]) -> ArchiveError:
    number = len(differences)
    return ArchiveError(
        f"What was restored is not what the backup's index says, {number} times: {differences[0]}",
        code="DRILL_DIFFERS",
        hint="Look at the disk of the drill's folder, then drill again; if it stays, do not"
        " count on this backup, and make a new one.",
    )
