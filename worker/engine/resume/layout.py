"""Reads a journal, and makes an index of those of its segments that the server has.

The index has the form of a finished backup's, so that `reuse.changes` can compare with it. Of a
file that was being sent in slices when the run broke off, the slices that are there count too.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from worker.engine.archive.index import DIRECTORY, ROOT, create_tables, order_by_folder
from worker.engine.archive.tarwrite import padded

_FILE = "INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"


class Cut(NamedTuple):
    """The file `id` is whole in the archive up to the byte `offset` of its content."""

    id: int
    offset: int


@dataclass
class Sliced:
    """A large file: its header is the segment `segment`, `size` bytes of content follow it."""

    id: int
    segment: int
    size: int
    goes_on: bool
    offset: int = 0

    @property
    def whole(self) -> bool:
        return self.offset >= padded(self.size)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """What was noted, up to the first line that is not whole."""
    with path.open("rb") as file:
        for raw in file:
            crc, _, text = raw.rstrip(b"\n").partition(b" ")
            if not raw.endswith(b"\n") or crc != b"%08x" % zlib.crc32(text):
                return
            content = json.loads(text)
            if not isinstance(content, dict):
                return
            yield content


class Layout:
    """`records` are the manifest's of the segments, `cut` the file that was under way."""

    def __init__(self, path: Path, *, first: int, end: int) -> None:
        """An index is made at `path`. `first` is the number of the journal's first segment, `end`
        how many bytes the server has of the upload."""
        self._first, self._end = first, end
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        create_tables(self._db)
        self._db.execute("BEGIN")
        self._folders = {b"": ROOT}
        self.segments = 0
        self.records = bytearray()
        self._sliced: Sliced | None = None
        self.cut: Cut | None = None

    def read(self, said: Iterator[dict[str, Any]]) -> None:
        """Take over what lies before the end. `ValueError`, `KeyError`, `TypeError`,
        `IndexError`: this is no journal of ours."""
        with closing(self._db):
            self._folder(ROOT, ROOT, b"")
            for line in said:
                self._line(line)
            if self._sliced and not self._sliced.whole:
                self._leave(self._sliced)
            order_by_folder(self._db)
            self._db.execute("COMMIT")

    def _line(self, said: dict[str, Any]) -> None:
        here = said["s"][0] + said["s"][1] <= self._end
        number = self.segments
        if here:
            self._segment(*said["s"])
        begins = [self._file(*file) == number for file in said["f"]]
        if not here:
            return
        if any(begins) and self._sliced and not self._sliced.whole:
            raise ValueError("a file ends before its end")
        if "c" in said:
            self._sliced = Sliced(said["c"][0], number, *said["c"][1:])
        elif any(begins):
            self._sliced = None
        elif self._sliced:
            self._sliced.offset += said["s"][2]

    def _segment(
        self, offset: int, length: int, raw_length: int, sha256: str, record: str, content: str
    ) -> None:
        row = (self.segments, offset, length, raw_length, bytes.fromhex(sha256))
        self._db.execute("INSERT INTO segments VALUES (?,?,?,?,?)", row)
        self._db.execute("INSERT INTO contents VALUES (?,?)", (row[0], bytes.fromhex(content)))
        self.records += bytes.fromhex(record)
        self.segments += 1

    def _file(self, number: int, path: str, segment: int, *state: Any) -> int:
        """Insert it, or what is known of it by now; the number of its segment here."""
        segment -= self._first
        if segment < self.segments:
            folder, _, name = os.fsencode(path).rpartition(b"/")
            kind, *middle, start, note = state
            row = (number, self._parent(folder), name, kind, *middle, segment, start, note)
            self._db.execute(_FILE, row)
        return segment

    def _parent(self, path: bytes) -> int:
        if path not in self._folders:
            above, _, name = path.rpartition(b"/")
            # Below all ids of files, which are the scan's.
            number = -len(self._folders)
            self._folder(number, self._parent(above), name)
            self._folders[path] = number
        return self._folders[path]

    def _folder(self, number: int, parent: int, name: bytes) -> None:
        nothing = (0,) * 7
        self._db.execute(_FILE, (number, parent, name, DIRECTORY, *nothing, None, None, None))

    def _leave(self, sliced: Sliced) -> None:
        """What the file lacks can be sent behind it, or else none of it is of use."""
        if sliced.goes_on:
            self.cut = Cut(sliced.id, sliced.offset)
            return
        self._db.execute("DELETE FROM segments WHERE id >= ?", (sliced.segment,))
        self._db.execute("DELETE FROM contents WHERE segment >= ?", (sliced.segment,))
        self._db.execute("DELETE FROM files WHERE segment >= ?", (sliced.segment,))
        del self.records[len(self.records) // self.segments * sliced.segment :]
        self.segments = sliced.segment
