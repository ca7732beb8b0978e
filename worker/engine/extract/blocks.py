"""Exact reads over a stream that gives what it likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from worker.engine.extract.refusals import truncated
from worker.engine.extract.tarheader import BLOCK

_CHUNK = 256 * 1024
_LARGE = 1024 * 1024


Piece = bytes | memoryview


class Readable(Protocol):
    """Anything with `read(n)`: at most n bytes, an empty piece only at the end.

    Where it has `hold()`, a piece is good until the next one is read, or until what `hold`
    returned after it was read is called.
    """

    def read(self, size: int, /) -> Piece: ...


class Source:
    """Cuts what the stream gives into what is asked for; long pieces are not copied."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._buffer: Piece = b""
        self._at = 0

    def block(self) -> bytes:
        """The next 512 bytes, or b"" when the stream has ended right here."""
        start, end = self._at, self._at + BLOCK
        if end <= len(self._buffer):
            self._at = end
            return bytes(self._buffer[start:end])
        return self.exactly(BLOCK) if self._filled() else b""

    def exactly(self, size: int) -> bytes:
        """That many bytes in one piece; ARCHIVE_TRUNCATED when the stream is shorter."""
        start, end = self._at, self._at + size
        if end <= len(self._buffer):
            self._at = end
            return bytes(self._buffer[start:end])
        pieces: list[bytes] = []  # a piece of the stream is good until the next one is read
        while size:
            pieces.append(bytes(self.some(size) or _ended()))
            size -= len(pieces[-1])
        return b"".join(pieces)

    def some(self, size: int) -> Piece:
        """Up to `size` bytes, an empty piece at the end only."""
        if size >= _CHUNK and self._at >= len(self._buffer):
            return self._stream.read(min(size, _LARGE))
        if not self._filled():
            return b""
        piece = self._buffer[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def hold(self) -> Callable[[], None]:
        """What `some` gave last stays as it is until what this returns is called."""
        hold: Callable[[], Callable[[], None]] | None = getattr(self._stream, "hold", None)
        return hold() if hold else _nothing

    def skip(self, size: int) -> None:
        end = self._at + size
        if end <= len(self._buffer):
            self._at = end
            return
        while size:
            size -= len(self.some(size) or _ended())

    def _filled(self) -> bool:
        if self._at >= len(self._buffer):
            self._buffer, self._at = self._stream.read(_CHUNK), 0
        return bool(self._buffer)


def _nothing() -> None:
    """Of most streams each piece is its own, and stays."""


def _ended() -> bytes:
    raise truncated()
