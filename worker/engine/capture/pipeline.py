"""Raw segments in, archive bytes out: packed several at a time, written in order.

A segment that may be the same as one of the last archive is hashed first, and need not be packed
when it is.

The caller's thread reads and collects; threads compress, seal and hash, here or in a process of
their own (`packing.py`, `apart.py`). At most 16 MiB of segments are between the two, or two for
each worker, so memory is bounded; the first failure stops everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from worker.engine.archive import codec
from worker.engine.archive.index import Like, SegmentRow
from worker.engine.capture.lanes import RawSegment
from worker.engine.capture.packing import AHEAD as _AHEAD
from worker.engine.capture.packing import Coming, Packed, Packing, Raw, Same, workers
from worker.engine.capture.stretch import Copying, Held, Stretch
from worker.engine.capture.trials import Trials
from worker.engine.progress import Progress


class Writer(Protocol):
    """Takes the archive's bytes in order and knows how many it took."""

    @property
    def position(self) -> int: ...

    def write(self, data: bytes | bytearray | memoryview, /) -> None: ...


class Places(Protocol):
    """Is told where segments and members lie (`archive.index.Index`)."""

    def add_segments(self, rows: Iterable[SegmentRow]) -> None: ...

    def locate(self, places: Iterable[tuple[int, int, int]]) -> None: ...


Told = Callable[[SegmentRow, bytes, RawSegment], None]


class Pipeline:
    """Leaving the `with` block ends the packing; only `drain` says that all was written."""

    def __init__(
        self,
        *,
        writer: Writer,
        index: Places,
        progress: Progress,
        packing: Packing,
        level: int,
        first: int = 0,
        records: bytes = b"",
        told: Told | None = None,
        copying: Copying | None = None,
    ) -> None:
        """`first` segments, with these manifest records, stand in the archive already.

        `told` hears of each segment that was written. `copying`: how segments that are as they
        were become part of the archive.
        """
        self._writer, self._index, self._progress = writer, index, progress
        self._packing, self._level = packing, level
        self._limit, self._ahead = workers() * 2, 0
        self._pending: deque[tuple[RawSegment, Coming]] = deque()
        self._told, self._copying = told, copying
        self._trials = Trials(level)
        takes = copying.takes if copying else _nothing
        self._stretch = Stretch(takes, self._copy, self._pack)
        self.copied: list[int] = []
        self.records = bytearray(records)
        self.count = first
        self.raw_size = 0

    def submit(self, segment: RawSegment) -> None:
        """Hand over the archive's next segment; blocks while packing is behind."""
        coming = self._begin(segment)
        self._ahead += segment.size
        self._pending.append((segment, coming))
        segment.pieces = []  # who packs it holds it now, and lets go of it when it is packed
        while len(self._pending) > self._limit and self._ahead > _AHEAD:
            self._collect()

    def drain(self) -> None:
        """Write all that is still under way."""
        while self._pending:
            self._collect()
        self._stretch.end()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._packing.close()

    def _begin(self, segment: RawSegment) -> Coming:
        like = segment.like if self._copying else None
        trial = self._trials.of(segment)
        raw = Raw(segment.pieces, segment.size, self._level_of(segment), trial, like)
        while (coming := self._packing.begin(raw)) is None:
            self._collect()
        return coming

    def _collect(self) -> None:
        segment, coming = self._pending.popleft()
        self._ahead -= segment.size
        made = coming.result()
        self._progress.checkpoint()
        if isinstance(made, Same):
            assert segment.like
            self._stretch.add(segment, segment.like, made.raw)
        else:
            self._stretch.end()
            self._write(segment, made)
        self._packing.let_go()

    def _pack(self, held: Sequence[Held]) -> None:
        """Segments that are as they were, and are not copied all the same."""
        under_way = [
            (segment, self._packing.begin(Raw([tar], segment.size, self._level_of(segment))))
            for segment, tar in held
        ]
        for segment, coming in under_way:
            assert coming
            made = coming.result()
            assert isinstance(made, Packed)
            self._write(segment, made)

    def _level_of(self, segment: RawSegment) -> int:
        return codec.STORED if segment.stored else self._level

    def _write(self, segment: RawSegment, packed: Packed) -> None:
        row = SegmentRow(
            self.count, self._writer.position, len(packed.data), packed.raw_length,
            packed.sha256, packed.content,
        )  # fmt: skip
        self._writer.write(packed.data)
        self._note(segment, row, packed.record, sent=row.length)

    def _copy(self, segment: RawSegment, like: Like) -> None:
        assert self._copying
        source, writer = self._copying.source, self._copying.writer
        row = SegmentRow(self.count, writer.position, *like[2:])
        writer.copy(source.copy(like))
        self.copied.append(self.count)
        self._note(segment, row, source.record(like), sent=0)

    def _note(self, segment: RawSegment, row: SegmentRow, record: bytes, *, sent: int) -> None:
        self._index.add_segments([row])
        self._index.locate((row.id, start, file) for file, start in segment.places)
        if self._told:
            self._told(row, record, segment)
        self.records += record
        self.count += 1
        self.raw_size += row.raw_length
        self._progress.advance(files=segment.files, bytes=segment.bytes, sent=sent)


def _nothing(_: int) -> bool:
    """Nothing is copied."""
    return False
