"""Raw segments in, archive bytes out: packed by several threads, written in order.

A segment that may be the same as one of the last archive is hashed first, and need not be packed
when it is.

The caller's thread reads and collects; a small pool compresses, seals and hashes, which all
release the interpreter lock or take next to nothing. At most 16 MiB of segments are between
the two, or two for each worker, so memory is bounded; the first failure stops everything.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from worker.engine.archive import codec, manifest
from worker.engine.archive.content import content_digest
from worker.engine.archive.frames import HEADER_SIZE, Kind, seal
from worker.engine.archive.index import Like, SegmentRow
from worker.engine.archive.keys import MasterKey
from worker.engine.capture.lanes import RawSegment
from worker.engine.capture.stretch import Copying, Held, Stretch
from worker.engine.capture.trials import Trials
from worker.engine.progress import Progress

MAX_WORKERS = 4
_AHEAD = 16 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class Packed:
    """One segment ready to be written: `record` is its place in the manifest (sealed only),
    `content` the digest of its tar bytes where that was asked for."""

    data: bytes | bytearray
    raw_length: int
    sha256: bytes
    record: bytes
    content: bytes = b""


@dataclass(frozen=True)
class Same:
    """A segment's tar bytes, which are those of the last archive's."""

    raw: bytes | bytearray


def pack_or_know(
    raw: bytes | bytearray,
    level: int,
    master: MasterKey | None,
    like: Like | None,
    trial: codec.Trial | None,
) -> Packed | Same:
    """The packed segment, or that it is what `like` says."""
    content = content_digest(raw)
    if like and like.content == content:
        return Same(raw)
    return replace(pack_segment(raw, level, master, trial=trial), content=content)


def pack_segment(
    raw: bytes | bytearray,
    level: int,
    master: MasterKey | None,
    kind: Kind = Kind.SEGMENT,
    *,
    trial: codec.Trial | None = None,
) -> Packed:
    """One gzip member, sealed into a frame where there is a key."""
    member = codec.compress(raw, level, trial)
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
        copying: Copying | None = None,
        passing: bool = False,
    ) -> None:
        """`first` segments, with these manifest records, stand in the archive already.

        `told` hears of each segment that was written. `copying`: how segments that are as they
        were become part of the archive. `passing`: nobody will ask what is in them.
        """
        workers = min(MAX_WORKERS, os.cpu_count() or 1)
        self._writer, self._index, self._progress = writer, index, progress
        self._level, self._master = level, master
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pack")
        self._limit, self._ahead = workers * 2, 0
        self._pending: deque[tuple[RawSegment, int, Future[Packed | Same]]] = deque()
        self._told, self._copying, self._passing = told, copying, passing
        self._trials = Trials(level)
        takes = copying.takes if copying else _nothing
        self._stretch = Stretch(takes, self._copy, self._pack)
        self.copied: list[int] = []
        self.records = bytearray(records)
        self.count = first
        self.raw_size = 0

    def submit(self, segment: RawSegment) -> None:
        """Hand over the archive's next segment; blocks while the pool is behind."""
        trial = self._trials.of(segment)
        like = segment.like if self._copying else None
        future = self._begin(segment, segment.raw, like, trial)
        self._ahead += len(segment.raw)
        self._pending.append((segment, len(segment.raw), future))
        segment.raw = b""  # the pool holds it now, and lets go of it when it is packed
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
        self._pool.shutdown(cancel_futures=True)

    def _begin(
        self,
        segment: RawSegment,
        raw: bytes | bytearray,
        like: Like | None,
        trial: codec.Trial | None = None,
    ) -> Future[Packed | Same]:
        level = codec.STORED if segment.stored else self._level
        if self._passing:
            return self._pool.submit(pack_segment, raw, level, self._master)
        return self._pool.submit(pack_or_know, raw, level, self._master, like, trial)

    def _collect(self) -> None:
        segment, size, future = self._pending.popleft()
        self._ahead -= size
        made = future.result()
        self._progress.checkpoint()
        if isinstance(made, Same):
            assert segment.like
            self._stretch.add(segment, segment.like, made.raw)
        else:
            self._stretch.end()
            self._write(segment, made)

    def _pack(self, held: Sequence[Held]) -> None:
        """Segments that are as they were, and are not copied all the same."""
        futures = [(segment, self._begin(segment, raw, None)) for segment, raw in held]
        for segment, future in futures:
            made = future.result()
            assert isinstance(made, Packed)
            self._write(segment, made)

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
