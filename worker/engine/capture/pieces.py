"""What an archive is made of while it is sent: bytes from here, and bytes that the server has."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple


class Copy(NamedTuple):
    """The bytes [start, end) of the object `key`, as it was under `etag`."""

    key: str
    etag: str
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start

    def goes_on(self, other: Copy) -> bool:
        """Whether `other` is what follows in the same object."""
        return (self.key, self.etag, self.end) == (other.key, other.etag, other.start)

    def cut(self, size: int) -> tuple[Copy, Copy]:
        """The first `size` bytes, and the rest."""
        middle = self.start + size
        return self._replace(end=middle), self._replace(start=middle)

    def shares(self, largest: int) -> list[Copy]:
        """Halves, thirds, ... of what has more than `largest` bytes."""
        count = -(-self.size // largest)
        ends = [self.start + self.size * number // count for number in range(count + 1)]
        return [self._replace(start=a, end=b) for a, b in pairwise(ends)]


Piece = bytearray | Copy


def size_of(piece: Piece) -> int:
    """In bytes."""
    return piece.size if isinstance(piece, Copy) else len(piece)
