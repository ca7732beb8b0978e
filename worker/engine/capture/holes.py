"""Files with holes: only what is really there is read and packed.

Written as GNU tar's sparse format 1.0 (GNU tar manual, "PAX Format, Version 1.0"): the member's
content begins with the map (count, then offset and length of each extent, one decimal number a
line, padded to 512 bytes), and the extents follow. GNU tar, bsdtar, Python and Tarkeep read it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from itertools import islice

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
        self.real_size = source.size
        self.size = len(self._map) + sum(length for _, length in extents)

    @property
    def note(self) -> str:
        return self._source.note

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
    found = extents(source.fd, source.size)
    holes = source.size - sum(length for _, length in found)
    return SparseFile(source, found) if holes >= _WORTH else None


def extents(fd: int, size: int) -> list[tuple[int, int]]:
    """Where there is data, as (offset, length); a last empty one marks a hole at the end.

    The whole file where the file system cannot tell, or has too much to tell.
    """
    try:
        found = list(islice(_data(fd, size), _MOST_EXTENTS))
    except OSError:
        return [(0, size)]
    if len(found) == _MOST_EXTENTS:
        return [(0, size)]
    return found if found and sum(found[-1]) == size else [*found, (size, 0)]


def _data(fd: int, size: int) -> Iterator[tuple[int, int]]:
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # which is a hole up to the end
                raise
            return
        at = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        if start < at:
            yield start, at - start
