"""Files with holes: only what is really there is read and packed.

Written as GNU tar's sparse format 1.0 (GNU tar manual, "PAX Format, Version 1.0"): the member's
content begins with the map (count, then offset and length of each extent, one decimal number a
line, padded to 512 bytes), and the extents follow. GNU tar, bsdtar, Python and Tarkeep read it.
"""

from __future__ import annotations

import os

from worker.engine.archive.tarwrite import padding
from worker.engine.capture.source import SourceFile

_WORTH = 64 * 1024  # bytes of holes below which a file is packed as it reads
_MOST_EXTENTS = 100_000


class SparseFile:
    """Reads like a file that holds the map and the extents, one after another."""

    def __init__(self, source: SourceFile, extents: list[tuple[int, int]]) -> None:
        numbers = [len(extents), *(number for extent in extents for number in extent)]
        text = b"".join(b"%d\n" % number for number in numbers)
        self._map = text + padding(len(text))
        self._source, self._extents = source, extents
        self.size = len(self._map) + sum(length for _, length in extents)

    def read(self, size: int, offset: int) -> bytes:
        """Exactly `size` bytes from `offset` of the member's content."""
        out, at = [], len(self._map)
        if offset < at:
            out.append(self._map[offset : offset + size])
        for start, length in self._extents:
            begin, end = max(offset, at), min(offset + size, at + length)
            if begin < end:
                out.append(self._source.read(end - begin, start + begin - at))
            at += length
        return b"".join(out)


def sparse(source: SourceFile) -> SparseFile | None:
    """A view without the holes; None where there are none worth the trouble."""
    if source.info.st_blocks * 512 >= source.size - _WORTH:
        return None
    try:
        extents = _extents(source.fd, source.size)
    except OSError:
        return None  # a file system that cannot tell
    holes = source.size - sum(length for _, length in extents)
    return SparseFile(source, extents) if holes >= _WORTH else None


def _extents(fd: int, size: int) -> list[tuple[int, int]]:
    """Where there is data, as (offset, length); a last empty one marks a hole at the end."""
    extents: list[tuple[int, int]] = []
    at = 0
    while at < size and len(extents) < _MOST_EXTENTS:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break  # ENXIO: a hole up to the end
        at = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        if start < at:
            extents.append((start, at - start))
    if len(extents) == _MOST_EXTENTS:
        return [(0, size)]
    return extents if extents and sum(extents[-1]) == size else [*extents, (size, 0)]
