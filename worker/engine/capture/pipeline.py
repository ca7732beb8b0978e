"""Raw segments in, archive bytes out: packed by several threads, written in order.

The caller's thread reads and collects; a small pool compresses, seals and hashes, which all
release the interpreter lock or take next to nothing. At most `workers * 2` segments are
between the two, so memory is bounded; the first failure stops everything.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from worker.engine.archive import codec, manifest
from worker.engine.archive.frames import HEADER_SIZE, Kind, seal
from worker.engine.archive.index import SegmentRow
from worker.engine.archive.keys import MasterKey
from worker.engine.capture.lanes import RawSegment
from worker.engine.progress import Progress

MAX_WORKERS = 4


@dataclass(frozen=True)
class Packed:
    """One segment ready to be written: `record` is its place in the manifest (sealed only)."""

    data: bytes | bytearray
    raw_length: int
    sha256: bytes
    record: bytes


def pack_segment(
    raw: bytes | bytearray, level: int, master: MasterKey | None, kind: Kind = Kind.SEGMENT
) -> Packed:
    """One gzip member, sealed into a frame where there is a key."""
    member = codec.compress(raw, level)
    if master is None:
        return Packed(member, len(raw), hashlib.sha256(member).digest(), b"")
    frame = seal(kind, member, master)
    view = memoryview(frame)
    record = manifest.record(view[:HEADER_SIZE], view[HEADER_SIZE:], len(raw))
    return Packed(frame, len(raw), record[-32:], record)


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
    """Leaving the `with` block waits for threads; only `drain` says that all was written."""

    def __init__(
        self,
        *,
        writer: Writer,
        index: Places,
        progress: Progress,
        level: int,
        master: MasterKey | None,
        first: int = 0,
        records: bytes = b"",
        told: Told | None = None,
    ) -> None:
        """`first` segments, with these manifest records, stand in the archive already.

        `told` hears of each segment that was written.
        """
        workers = min(MAX_WORKERS, os.cpu_count() or 1)
        self._writer, self._index, self._progress = writer, index, progress
        self._level, self._master = level, master
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pack")
        self._limit = workers * 2
        self._pending: deque[tuple[RawSegment, Future[Packed]]] = deque()
        self._told = told
        self.records = bytearray(records)
        self.count = first
        self.raw_size = 0

    def submit(self, segment: RawSegment) -> None:
        """Hand over the archive's next segment; blocks while the pool is behind."""
        level = codec.STORED if segment.stored else self._level
        future = self._pool.submit(pack_segment, segment.raw, level, self._master)
        segment.raw = b""  # the pool holds it now, and lets go of it when it is packed
        self._pending.append((segment, future))
        while len(self._pending) > self._limit:
            self._collect()

    def drain(self) -> None:
        """Write all that is still under way."""
        while self._pending:
            self._collect()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _collect(self) -> None:
        segment, future = self._pending.popleft()
        packed = future.result()
        self._progress.checkpoint()
        number, offset = self.count, self._writer.position
        self._writer.write(packed.data)
        row = SegmentRow(number, offset, len(packed.data), packed.raw_length, packed.sha256)
        self._index.add_segments([row])
        self._index.locate((number, start, file) for file, start in segment.places)
        if self._told:
            self._told(row, packed.record, segment)
        self.records += packed.record
        self.count += 1
        self.raw_size += packed.raw_length
        self._progress.advance(files=segment.files, bytes=segment.bytes, sent=len(packed.data))
