"""Bytes that come in pieces of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

Bytes = bytes | bytearray | memoryview


def joined(pieces: Sequence[Bytes]) -> Bytes:
    """All of them in a row; one alone is not copied."""
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class ChunkReader:
    """Reads exact lengths from an iterator of chunks.

    `observe` sees every chunk once, in order (for a running checksum).
    """

    def __init__(self, chunks: Iterator[bytes], observe: Callable[[bytes], object]) -> None:
        self._chunks, self._observe = chunks, observe
        self._rest = memoryview(b"")
        self.position = 0

    def ignore(self) -> None:
        """Observe no more."""
        self._observe = bool

    def some(self) -> memoryview:
        """What is at hand, or the next chunk; empty at the end."""
        if not self._rest:
            chunk = next(self._chunks, b"")
            self._observe(chunk)
            self._rest = memoryview(chunk)
        out, self._rest = self._rest, memoryview(b"")
        self.position += len(out)
        return out

    def exactly(self, size: int) -> bytes:
        """`size` bytes; fewer only at the end."""
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> list[memoryview]:
        """`size` bytes as they lie in memory; fewer only at the end."""
        pieces: list[memoryview] = []
        missing = size
        while missing and (piece := self.some()):
            if len(piece) > missing:
                self.push_back(piece[missing:])
                piece = piece[:missing]
            pieces.append(piece)
            missing -= len(piece)
        return pieces

    def push_back(self, rest: memoryview) -> None:
        """Give back the end of what was read last: it comes first again."""
        self.position -= len(rest)
        self._rest = memoryview(b"".join((rest, self._rest))) if self._rest else rest
