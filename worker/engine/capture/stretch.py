"""Neighbouring segments that are as they were: copied once they are enough, else packed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from worker.engine.archive.index import Like
from worker.engine.archive.manifest import RECORD
from worker.engine.capture.lanes import Bytes, RawSegment
from worker.engine.capture.parts import PartWriter
from worker.engine.capture.pieces import Copy

_MOST_HELD = 32 * 1024 * 1024  # bytes of tar

Held = tuple[RawSegment, Bytes]  # a segment, and its tar bytes


@dataclass(frozen=True)
class Source:
    """The archive that is copied from. `records` are its manifest's, empty for a plain one."""

    key: str
    etag: str
    records: bytes = field(default=b"", repr=False)

    def copy(self, like: Like) -> Copy:
        return Copy(self.key, self.etag, like.offset, like.offset + like.length)

    def record(self, like: Like) -> bytes:
        return self.records[like.number * RECORD.size : (like.number + 1) * RECORD.size]


@dataclass(frozen=True)
class Copying:
    """What segments are copied from and into. `worth`: bytes; fewer are not worth a copy."""

    source: Source
    writer: PartWriter
    worth: int

    def takes(self, size: int) -> bool:
        return size >= self.worth and self.writer.takes(size)


class Stretch:
    """Takes each segment that is as it was; what it holds goes on to `copy` or to `pack`."""

    def __init__(
        self,
        takes: Callable[[int], bool],
        copy: Callable[[RawSegment, Like], None],
        pack: Callable[[Sequence[Held]], None],
    ) -> None:
        """`takes`: whether so many stored bytes may be copied now."""
        self._takes, self._copy, self._pack = takes, copy, pack
        self._held: list[Held] = []
        self._length = self._raw = 0
        self._next = -1
        self._copying = False

    def add(self, segment: RawSegment, like: Like, raw: Bytes) -> None:
        if like.number != self._next:
            self.end()
        self._next = like.number + 1
        if self._copying:
            self._copy(segment, like)
            return
        self._held.append((segment, raw))
        self._length += like.length
        self._raw += len(raw)
        if self._takes(self._length):
            self._copying = True
            for held, _ in self._take():
                assert held.like
                self._copy(held, held.like)
        elif self._raw > _MOST_HELD:
            self._pack(self._take())

    def end(self) -> None:
        """Another segment follows, or none."""
        if self._held:
            self._pack(self._take())
        self._copying, self._next = False, -1

    def _take(self) -> list[Held]:
        held, self._held = self._held, []
        self._length = self._raw = 0
        return held
