"""One segment's tar bytes into one gzip member, sealed where there is a key."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from worker.engine.archive import codec, manifest
from worker.engine.archive.chunks import joined
from worker.engine.archive.content import content_digest
from worker.engine.archive.frames import HEADER_SIZE, Kind, frame_size, seal_into
from worker.engine.archive.index import Like
from worker.engine.archive.keys import MasterKey

MAX_WORKERS = 4
AHEAD = 16 * 1024 * 1024  # bytes of tar that are being packed, or wait for it

Bytes = bytes | bytearray | memoryview


class Raw(NamedTuple):
    """Pieces of tar, `size` bytes together, that are to be packed at `level`, after what `trial`
    tells. `like`: the segment of the last archive that it may be."""

    pieces: Sequence[Bytes]
    size: int
    level: int
    trial: codec.Trial | None = None
    like: Like | None = None


@dataclass(frozen=True)
class Packed:
    """One segment ready to be written: `record` is its place in the manifest (sealed only),
    `content` the digest of its tar bytes where that was asked for."""

    data: Bytes
    raw_length: int
    sha256: bytes
    record: bytes
    content: bytes = b""


@dataclass(frozen=True)
class Same:
    """A segment's tar bytes, which are those of the last archive's."""

    raw: Bytes


class Coming(Protocol):
    """A segment that is being packed."""

    def result(self) -> Packed | Same:
        """Waits for it. Raises what went wrong."""


class Packing(Protocol):
    """Who packs segments, several at a time."""

    def begin(self, raw: Raw) -> Coming | None:
        """Take it on. None: there is no room before the oldest one was let go of."""

    def let_go(self) -> None:
        """What came of the oldest one is not looked at any more."""

    def close(self) -> None:
        """End, whatever is under way."""


class Threads:
    """Packs in this process."""

    def __init__(self, master: MasterKey | None, *, passing: bool = False) -> None:
        """`passing`: nobody will ask what is in the segments."""
        self._master, self._passing = master, passing
        self._pool = ThreadPoolExecutor(workers(), thread_name_prefix="pack")

    def begin(self, raw: Raw) -> Future[Packed | Same]:
        if self._passing:
            return self._pool.submit(_pack, raw, self._master)
        return self._pool.submit(pack_or_know, raw, self._master)

    def let_go(self) -> None:
        """It goes with what holds it."""

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def workers() -> int:
    """How many segments are packed at the same time."""
    return min(MAX_WORKERS, os.cpu_count() or 1)


def pack_or_know(
    raw: Raw, master: MasterKey | None, room: memoryview | None = None
) -> Packed | Same:
    """The packed segment, or that it is what `like` says."""
    tar = joined(raw.pieces)
    content = content_digest(tar)
    if raw.like and raw.like.content == content:
        return Same(tar)
    packed = pack_segment(tar, raw.level, master, trial=raw.trial, room=room)
    return replace(packed, content=content)


def pack_segment(
    tar: Bytes,
    level: int,
    master: MasterKey | None,
    kind: Kind = Kind.SEGMENT,
    *,
    trial: codec.Trial | None = None,
    room: memoryview | None = None,
) -> Packed:
    """One gzip member, sealed into a frame where there is a key.

    It is put at the start of `room`, where that is given and large enough; `tar` may lie there too.
    """
    size = len(tar)
    data: Bytes = codec.compress(tar, level, trial)
    if master is None:
        digest = hashlib.sha256(data).digest()
        return Packed(_into(room, data), size, digest, b"")
    length = frame_size(len(data))
    if room is None or len(room) < length:
        room = memoryview(bytearray(length))
    frame = seal_into(room, kind, data, master)
    record = manifest.record(frame[:HEADER_SIZE], frame[HEADER_SIZE:], size)
    return Packed(frame, size, record[-32:], record)


def _pack(raw: Raw, master: MasterKey | None) -> Packed:
    return pack_segment(joined(raw.pieces), raw.level, master)


def room_for(size: int) -> int:
    """Bytes that surely take `size` bytes of tar, and what becomes of them: both codecs add a
    thousandth at most to what does not compress, and so does sealing."""
    return size + size // 256 + 4096


def _into(room: memoryview | None, data: Bytes) -> Bytes:
    if room is None or len(room) < len(data):
        return data
    room[: len(data)] = data
    return room[: len(data)]
