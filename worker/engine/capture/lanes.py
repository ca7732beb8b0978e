"""Where members gather until they make a segment.

A segment holds whole small files, or the header of one large file, or one slice of it. Files
that do not compress gather in a lane of their own, so that they are stored without dragging
compressible neighbours along. Pure: no IO.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from worker.engine.archive.codec import looks_compressed
from worker.engine.archive.index import FileRow, Like

Bytes = bytes | bytearray | memoryview


class Member(NamedTuple):
    """What of a file lies in the archive. `files`: how many of the source are done with it; `path`:
    the file's in the data folder, where `file` is all that there is to say of it."""

    file: FileRow
    header: bytes
    content: bytes = b""
    pad: bytes = b""
    files: int = 1
    path: bytes | None = None


class Slices(NamedTuple):
    """What follows a large file's header: `size` bytes of content. `goes_on`: they are those of
    the file itself, so that another run can go on with the next slice."""

    file: int
    size: int
    goes_on: bool


@dataclass
class RawSegment:
    """A run of tar bytes, in pieces, on its way to become one gzip member of `size` bytes of tar.

    `places` are (file id, offset of its header). `files` and `bytes` count what of the source
    becomes done with it; directories are not counted. `slices` are those to come, `like` is the
    segment that it may be the same as. `settled`: of some files all that there is to say, with
    their paths and where their headers are. `name` is that of the first file in it.
    """

    pieces: list[Bytes]
    places: list[tuple[int, int]] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    stored: bool = False
    slices: Slices | None = None
    like: Like | None = None
    name: Bytes = b""
    settled: list[tuple[FileRow, Bytes, int]] = field(default_factory=list)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = sum(map(len, self.pieces))

    def add(self, member: Member) -> None:
        """Append a whole member."""
        file, header, content, pad, files, path = member
        if not self.size:
            self.name = file.name
        self.places.append((file.id, self.size))
        if path is not None:
            self.settled.append((file, path, self.size))
        self.pieces += (header, content, pad)
        self.size += len(header) + len(content) + len(pad)
        self.files += files
        self.bytes += len(content)


Emit = Callable[[RawSegment], None]


class Lane:
    """One open segment; emits it when the next member would make it larger than `limit`."""

    def __init__(self, limit: int, emit: Emit, *, stored: bool) -> None:
        self._limit, self._emit, self._stored = limit, emit, stored
        self._open = RawSegment([], stored=stored)

    def add(self, member: Member) -> None:
        """Append a whole member."""
        size = self._open.size
        if size and size + len(member.header) + len(member.content) + len(member.pad) > self._limit:
            self.flush()
        self._open.add(member)

    def flush(self) -> None:
        if self._open.size:
            self._emit(self._open)
            self._open = RawSegment([], stored=self._stored)


class Lanes:
    """The two lanes side by side."""

    def __init__(self, limit: int, emit: Emit) -> None:
        self.limit, self.emit = limit, emit
        self._squeezed = Lane(limit, emit, stored=False)
        self._stored = Lane(limit, emit, stored=True)

    def add(self, member: Member) -> None:
        """A small member into the lane that its content belongs to."""
        (self._stored if looks_compressed(member.content) else self._squeezed).add(member)

    def flush(self) -> None:
        self._squeezed.flush()
        self._stored.flush()
