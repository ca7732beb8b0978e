"""From the bytes of an encrypted archive to the tar bytes inside, checked as they come.

Every frame is authenticated before any of its bytes are released; what no single frame can
tell (dropped, reordered, foreign frames, a cut end) is known when the manifest has been read,
which is before the stream ends. Whoever reads must not act on the bytes before the end.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from worker.engine.archive import codec, manifest
from worker.engine.archive.chunks import ChunkReader
from worker.engine.archive.frames import (
    HEADER_SIZE,
    FrameHeader,
    Kind,
    open_frame,
    open_into,
    parse_header,
)
from worker.engine.archive.keys import MasterKey, find_key
from worker.engine.errors import ArchiveError

_Body = list[memoryview]  # in pieces, as they came
_Unpacked = tuple[bytes | bytearray, bytes]  # tar bytes, the frame's record or its identity
DIGEST_SIZE = 32  # bytes, at the end of a record
_LOOKAHEAD = 4  # frames being opened at once, however large
_AHEAD = 8 * 1024 * 1024  # bytes of frames: as many small ones as are in that, so that none waits
_MOST_AHEAD = 32  # frames
_NO_ROOM = bytearray()


def unpack_frames(
    source: ChunkReader,
    passphrases: tuple[str, ...],
    *,
    name: str | None,
    observe: Callable[[bytes], object] | None = None,
) -> Iterator[bytes | bytearray]:
    """Raw tar bytes, a segment at a time. `name` is the archive's own name where known.

    `observe` is told the SHA-256 of each segment's frame, in order, before its bytes come;
    without it none is calculated, for seal, salt and place say all (`manifest.identity`).
    Raises `KeyMismatch` before anything is given out, `ArchiveError` for damage.
    """
    reader = _FrameReader(source, passphrases, hashed=observe is not None)
    seen: list[bytes] = []
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="unpack") as pool:
        waiting: deque[Future[_Unpacked]] = deque()
        sizes: deque[int] = deque()
        try:
            for header, body in reader.segments():
                waiting.append(pool.submit(reader.unpack, header, body))
                sizes.append(header.length)
                while _enough(sizes):
                    sizes.popleft()
                    yield _take(waiting, seen, observe)
            while waiting:
                yield _take(waiting, seen, observe)
        finally:
            for future in waiting:
                future.cancel()
    reader.check_end(seen, name)


def _enough(sizes: deque[int]) -> bool:
    """Whether frames of these sizes are as many as are to be under way."""
    return len(sizes) > _MOST_AHEAD or (len(sizes) > _LOOKAHEAD and sum(sizes) > _AHEAD)


def _take(
    waiting: deque[Future[_Unpacked]],
    seen: list[bytes],
    observe: Callable[[bytes], object] | None,
) -> bytes | bytearray:
    raw, record = waiting.popleft().result()
    seen.append(record)
    if observe is not None:
        observe(record[-DIGEST_SIZE:])
    return raw


class _FrameReader:
    def __init__(self, source: ChunkReader, passphrases: tuple[str, ...], *, hashed: bool) -> None:
        self._source, self._passphrases = source, passphrases
        self._record = manifest.record_of_pieces if hashed else manifest.identity
        self._master: MasterKey | None = None
        self._manifest: manifest.Manifest | None = None
        self._manifest_size = 0
        self._rooms = threading.local()

    def segments(self) -> Iterator[tuple[FrameHeader, _Body]]:
        """Headers and bodies up to the manifest, which is read and kept."""
        while self._manifest is None:
            header, body = self._next()
            if header.kind is Kind.SEGMENT:
                yield header, body
            elif header.kind is Kind.MANIFEST:
                assert self._master is not None
                self._manifest = manifest.load(open_frame(header, b"".join(body), self._master))
                self._manifest_size = HEADER_SIZE + header.length
            else:
                raise ArchiveError("A frame of another kind stands in the archive.")

    def unpack(self, header: FrameHeader, body: _Body) -> _Unpacked:
        """One segment's tar bytes, and its record as the manifest must have it."""
        assert self._master is not None
        member = open_into(self._room(header.length), header, body, self._master)
        raw = codec.decompress(member)
        return raw, self._record(header.pack(), body, len(raw))

    def _room(self, size: int) -> bytearray:
        """Where this thread opens seals: it is done with one segment before it takes the next."""
        room: bytearray = getattr(self._rooms, "room", _NO_ROOM)
        if len(room) < size:
            room = self._rooms.room = bytearray(size)
        return room

    def check_end(self, seen: list[bytes], name: str | None) -> None:
        """Trailer, end of file, and the manifest against what was read."""
        trailer = self._source.exactly(manifest.TRAILER.size)
        if manifest.parse_trailer(trailer) != self._manifest_size or self._source.some():
            raise ArchiveError("The archive does not end after its manifest.")
        assert self._manifest is not None
        manifest.compare(seen, self._manifest)
        if name is not None and self._manifest.name != name:
            raise ArchiveError(
                f"This is the archive {self._manifest.name} under another name.",
                code="FRAME_FOREIGN",
                hint="It was renamed in the bucket. Restore it under its own name.",
            )

    def _next(self) -> tuple[FrameHeader, _Body]:
        at = self._source.position
        raw = self._source.exactly(HEADER_SIZE)
        if not raw:
            raise _no_manifest()
        header = self._header(raw, at)
        body = self._source.pieces(header.length)
        if sum(map(len, body)) < header.length:
            raise _truncated(at)
        return header, body

    def _header(self, raw: bytes, at: int) -> FrameHeader:
        if len(raw) < HEADER_SIZE:
            raise _truncated(at)
        header = parse_header(raw)
        if self._master is None:
            self._master = find_key(self._passphrases, header.params, header.key_id)
        if (header.params, header.key_id) != (self._master.params, self._master.key_id):
            raise ArchiveError(
                f"The frame at byte {at} is sealed with another key than those before it.",
                code="FRAME_FOREIGN",
            )
        return header


def _no_manifest() -> ArchiveError:
    return ArchiveError(
        "The archive ends without its manifest.",
        code="MANIFEST_MISSING",
        hint="It was cut off or never finished. Restore another backup.",
    )


def _truncated(at: int) -> ArchiveError:
    return ArchiveError(
        f"The archive ends in the middle of the frame at byte {at}.",
        code="ARCHIVE_TRUNCATED",
        hint="It was cut off. Restore another backup.",
    )
