"""Unpacked segments of one archive, fetched by themselves and checked against its index."""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache

from worker.engine.archive import codec
from worker.engine.archive.frames import MAGIC, Kind
from worker.engine.archive.index import SegmentRow
from worker.engine.archive.index_reader import Entry, IndexReader
from worker.engine.archive.open_frames import FrameOpener
from worker.engine.archive.ranged import SPAN, Span, read_spans
from worker.engine.errors import ArchiveError
from worker.engine.progress import Progress
from worker.engine.storage import Storage

_HEADER = 512  # bytes: a member's header takes at least this
_Fetched = tuple[SegmentRow, bytes | memoryview]


class SegmentReader:
    """What was announced by `expect` is fetched ahead, neighbours in one request.

    Anything else is fetched when it is asked for, so the announcement may be wrong.
    """

    def __init__(
        self,
        storage: Storage,
        key: str,
        index: IndexReader,
        keys: tuple[str, ...],
        progress: Progress,
    ) -> None:
        self._storage, self._key, self._index, self._progress = storage, key, index, progress
        self._opener = FrameOpener(keys)
        self._ahead: Iterator[_Fetched] = iter(())
        self._next: _Fetched | None = None
        self.row = lru_cache(maxsize=64)(self._row)

    def expect(self, numbers: Iterable[int]) -> None:
        """Announce which segments will be asked for, in ascending order."""
        self.close()
        self._ahead = self._fetch(map(self.row, numbers))

    def raw(self, number: int) -> bytes | bytearray:
        """A segment's tar bytes, checked. Raises `ArchiveError`, `KeyMismatch`, `StorageError`."""
        self._progress.checkpoint()
        while (ahead := self._peek()) is not None and ahead[0].id < number:
            self._next = None
        if ahead is not None and ahead[0].id == number:
            self._next = None
            return self._open(*ahead)
        ((row, data),) = self._fetch([self.row(number)])
        return self._open(row, data)

    def covering(self, entry: Entry) -> range:
        """The segments that hold the entry, as far as its size in the index tells."""
        last = entry.segment
        missing = entry.start + _HEADER + entry.size - self.row(last).raw_length
        while missing > 0 and self._index.segment(last + 1) is not None:
            last += 1
            missing -= self.row(last).raw_length
        return range(entry.segment, last + 1)

    def close(self) -> None:
        """Let go of what was fetched ahead."""
        close = getattr(self._ahead, "close", None)
        if close is not None:
            close()
        self._ahead, self._next = iter(()), None

    def _peek(self) -> _Fetched | None:
        if self._next is None:
            self._next = next(self._ahead, None)
        return self._next

    def _row(self, number: int) -> SegmentRow:
        row = self._index.segment(number)
        if row is None:
            raise ArchiveError("The archive ends before a file that its index names does.")
        return row

    def _fetch(self, rows: Iterable[SegmentRow]) -> Iterator[_Fetched]:
        groups: deque[list[SegmentRow]] = deque()

        def spans() -> Iterator[Span]:
            for group in neighbours(rows):
                groups.append(group)
                yield group[0].offset, group[-1].offset + group[-1].length

        for chunks in read_spans(self._storage, self._key, spans()):
            view, group = memoryview(b"".join(chunks)), groups.popleft()
            for row in group:
                at = row.offset - group[0].offset
                yield row, view[at : at + row.length]

    def _open(self, row: SegmentRow, data: bytes | memoryview) -> bytes | bytearray:
        """Nothing is unpacked, let alone given out, unless it is what the index says."""
        if not hmac.compare_digest(hashlib.sha256(data).digest(), row.sha256):
            raise ArchiveError(
                f"Segment {row.id} of the archive is not the one in its index.",
                hint="It was damaged or changed in the bucket. Try another backup.",
            )
        sealed = bytes(data[: len(MAGIC)]) == MAGIC
        raw = codec.decompress(self._opener.open(data, Kind.SEGMENT) if sealed else data)
        if len(raw) != row.raw_length:
            raise ArchiveError(f"Segment {row.id} of the archive is not as long as its index says.")
        return raw


def neighbours(rows: Iterable[SegmentRow], most: int = SPAN) -> Iterator[list[SegmentRow]]:
    """Runs of segments that lie side by side, each of at most `most` bytes but one segment."""
    group: list[SegmentRow] = []
    for row in rows:
        behind = group[-1].offset + group[-1].length if group else row.offset
        if group and (row.offset != behind or behind + row.length - group[0].offset > most):
            yield group
            group = []
        group.append(row)
    if group:
        yield group
