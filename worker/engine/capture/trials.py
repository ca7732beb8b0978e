"""Which segments share one trial of what packs them best: see `archive.codec.Trial`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from worker.engine.archive.codec import Trial
from worker.engine.capture.lanes import RawSegment

_TOGETHER = 8  # segments: 4 MiB of small files, 8 to 32 MiB of a large one, eight files of one kind
ROWS = 3  # that are told apart by the rest of a trial's number
_TRIED = 256 * 1024  # bytes; a smaller one is not tried at all


class _Row:
    """Segments one after another that are alike."""

    def __init__(self, level: int, numbers: Iterator[int]) -> None:
        self._level, self._numbers = level, numbers
        self.end()

    def end(self) -> None:
        self._trial: Trial | None = None
        self._left = 0

    def next(self, segment: RawSegment) -> Trial:
        if self._trial is None or not self._left:
            self._trial = Trial(segment.pieces, self._level, next(self._numbers))
            self._left = _TOGETHER
        self._left -= 1
        return self._trial


class Trials:
    """Is told of all segments in their order, so that the same ones are packed the same way."""

    def __init__(self, level: int) -> None:
        rows = (_Row(level, count(row, ROWS)) for row in range(1, ROWS + 1))
        self._slices, self._small, self._alone = rows
        self._kind = b""

    def of(self, segment: RawSegment) -> Trial | None:
        """The trial that counts for the segment; None where it is to have one of its own."""
        if segment.stored:
            return None
        if not segment.places:  # a slice
            return self._slices.next(segment)
        if len(segment.places) > 1:
            return self._small.next(segment)
        self._slices.end()  # another file begins: of what kind that is will be seen
        return self._of_alone(segment)

    def _of_alone(self, segment: RawSegment) -> Trial | None:
        """Of files in a row whose names end alike, as logs' do, one tells for the others."""
        if segment.slices or segment.size < _TRIED:
            return None
        kind = bytes(segment.name).rpartition(b".")[2]
        if kind != self._kind:
            self._alone.end()
            self._kind = kind
        return self._alone.next(segment)
