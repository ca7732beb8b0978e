"""Holds a backup's index against what was read of its archive.

The index tells the next backup what has not changed and the user where a file lies: one that
disagrees with its archive is damage, although the archive may be whole.
"""

from __future__ import annotations

import hashlib
import hmac
import stat
from array import array
from collections.abc import Iterator
from functools import lru_cache
from itertools import starmap

from worker.engine.archive.index import DIRECTORY, FILE, SYMLINK, SegmentRow
from worker.engine.archive.index_reader import Entry, IndexReader
from worker.engine.errors import ArchiveError
from worker.engine.extract import tarheader
from worker.engine.extract.refusals import shown
from worker.engine.extract.tarread import Member

_KINDS = {
    tarheader.FILE: FILE,
    tarheader.HARDLINK: FILE,
    tarheader.DIRECTORY: DIRECTORY,
    tarheader.SYMLINK: SYMLINK,
}
_IN_ORDER = "SELECT id FROM files WHERE segment IS NOT NULL ORDER BY segment, start"


class IndexMatch:
    """Give it the object's bytes by `saw_bytes` and the members by `saw`, in order; then ask
    `demand`. Remembers the first difference only."""

    def __init__(self, index: IndexReader) -> None:
        self._index = index
        self._segments = _segments(index)
        self._segment = next(self._segments, None)
        self._digest, self._at, self._missing = hashlib.sha256(), 0, 0
        self._begin()
        self._ids = iter(array("q", (row[0] for row in index.query(_IN_ORDER))))
        self._folder = lru_cache(maxsize=4096)(index.path)
        self.segments = 0
        self.difference = ""

    def saw_bytes(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view and self._segment is not None:
            piece, view = view[: self._missing], view[self._missing :]
            self._digest.update(piece)
            self._at += len(piece)
            self._missing -= len(piece)
            if not self._missing:
                self._end(self._segment)

    def saw(self, path: bytes, member: Member) -> None:
        """The next member lies at `path` below the data folder."""
        number = next(self._ids, None)
        if number is None:
            self._differs(f"{shown(path)} is in the archive only")
            return
        entry = self._entry(number)
        if entry.path != path:
            self._differs(f"{shown(path)} is where the index has {shown(entry.path)}")
        elif told := _unlike(entry, member):
            self._differs(f"{shown(path)}: {told}")

    def demand(self) -> None:
        """Everything was seen. Raises `ArchiveError` (INDEX_DAMAGED) if something differed."""
        if self._segment is not None:
            self._differs(f"segment {self._segment.id} is in the index only")
        if (number := next(self._ids, None)) is not None:
            self._differs(f"{shown(self._index.path(number))} is in the index only")
        if self.difference:
            raise ArchiveError(
                f"The backup's index is not that of its archive: {self.difference}.",
                code="INDEX_DAMAGED",
            )

    def _begin(self) -> None:
        if self._segment is None:
            return
        if self._segment.offset != self._at:
            self._differs(f"segment {self._segment.id} does not begin at byte {self._at}")
        self._digest, self._missing = hashlib.sha256(), self._segment.length

    def _end(self, row: SegmentRow) -> None:
        if not hmac.compare_digest(self._digest.digest(), row.sha256):
            self._differs(f"segment {row.id} has another checksum")
        self.segments += 1
        self._segment = next(self._segments, None)
        self._begin()

    def _entry(self, number: int) -> Entry:
        entry = self._index.row(number, b"")
        if number == self._index.root.id:
            return entry
        folder, name = self._folder(entry.parent), self._index.name(number)
        return entry._replace(path=folder + b"/" + name if folder else name)

    def _differs(self, what: str) -> None:
        self.difference = self.difference or what


def _segments(index: IndexReader) -> Iterator[SegmentRow]:
    return starmap(SegmentRow, index.query("SELECT * FROM segments ORDER BY id"))


def _unlike(entry: Entry, member: Member) -> str:
    """What is not the same; a database's size is that of the file it was captured from."""
    if entry.kind != _KINDS.get(member.kind):
        return "it is something else"
    captured = entry.note is not None and entry.note.startswith("SQLITE_")
    if member.kind == tarheader.FILE and not captured and entry.size != member.size:
        return f"{member.size} bytes instead of {entry.size}"
    if stat.S_IMODE(member.mode) != entry.mode or member.mtime != entry.mtime_ns:
        return "its mode or time is another"
    return ""
