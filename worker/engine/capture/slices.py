"""Files that are too large to share a segment with others.

What fits into one slice is one segment. Of a larger file the header is one, then slices at fixed
offsets, each a segment of its own: one that did not change makes the same segment again, whatever
the header says.
"""

from __future__ import annotations

from collections.abc import Sequence

from worker.engine.archive.codec import looks_compressed
from worker.engine.archive.index import FileRow, Index, Like
from worker.engine.archive.tarwrite import padding
from worker.engine.capture.holes import SparseFile
from worker.engine.capture.lanes import Bytes, Emit, RawSegment, Slices
from worker.engine.capture.source import SourceFile

Content = SourceFile | SparseFile


class Slicer:
    """Gives `emit` the segments of large files."""

    def __init__(self, index: Index, emit: Emit) -> None:
        self._index, self._emit = index, emit

    def alone(self, row: FileRow, source: Content, header: bytes, head: bytes) -> None:
        """A file as one segment."""
        content = _read(source, 0, source.size, head)
        if source.note:
            self._index.note(row.id, source.note)
        pieces: list[Bytes] = [header, content, padding(len(content))]
        stored = looks_compressed(content)
        places = [(row.id, 0)]
        self._emit(
            RawSegment(
                pieces, places, files=1, bytes=len(content), stored=stored, name=row.name
            )
        )  # fmt: skip

    def whole(
        self, row: FileRow, source: Content, header: bytes, head: bytes, *, step: int, goes_on: bool
    ) -> None:
        """A file from its first byte on, of which `head` was read already.

        In slices of `step` bytes, or of as many as it had in the last archive.
        """
        likes = self._index.likes(row.id)
        if len(likes) > 2:  # the header's, and more than one slice
            step = likes[1].raw_length
        slices = Slices(row.id, source.size, goes_on)
        like = _fitting(likes, 0, [header])
        self._emit(RawSegment([header], [(row.id, 0)], files=1, slices=slices, like=like))
        self._slices(row, source, 0, step, likes[1:], head)

    def rest(self, row: FileRow, source: Content, start: int, step: int) -> None:
        """The slices from byte `start` on."""
        self._slices(row, source, start, step, [], b"")

    def _slices(
        self, row: FileRow, source: Content, start: int, step: int, likes: list[Like], head: bytes
    ) -> None:
        for number, offset in enumerate(range(start, source.size, step)):
            content = _read(source, offset, min(step, source.size - offset), head)
            if source.note:
                self._index.note(row.id, source.note)  # before the slice goes: it is not sound
            pieces: list[Bytes] = [content, padding(len(content))]
            stored = looks_compressed(content)
            like = _fitting(likes, number, pieces)
            self._emit(RawSegment(pieces, bytes=len(content), stored=stored, like=like))


def _read(source: Content, offset: int, size: int, head: bytes) -> bytes:
    """A slice; what was read of the file before is not read again."""
    known = head[offset : offset + size]
    if len(known) == size:
        return known
    return known + source.read(size - len(known), offset + len(known))


def _fitting(likes: list[Like], number: int, pieces: Sequence[Bytes]) -> Like | None:
    like = likes[number] if number < len(likes) else None
    return like if like and like.raw_length == sum(map(len, pieces)) else None
