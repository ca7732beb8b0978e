"""Where the data of a sparse file lies (GNU tar manual, "Storing Sparse Files").

Read: the PAX formats 0.1 and 1.0, and the old GNU type `S`. A map is a list of
(offset, length) in file order; what it leaves out reads as zeros.
"""

from __future__ import annotations

from worker.engine.extract.blocks import Source
from worker.engine.extract.limits import Limits
from worker.engine.extract.pax import Records, natural
from worker.engine.extract.refusals import damaged, hostile, unsupported
from worker.engine.extract.tarheader import BLOCK, number

Extents = tuple[tuple[int, int], ...]

_NUMBER = 12
_PAIR = 2 * _NUMBER
_OLD_FIRST, _OLD_FIRST_COUNT, _OLD_MORE, _OLD_SIZE = 386, 4, 482, 483
_OLD_COUNT, _OLD_NEXT = 21, 504


def from_pax(records: Records, source: Source, stored: int, limits: Limits) -> tuple[Extents, int]:
    """The map that the records name, and how much of the `stored` bytes the map itself took."""
    if records.get(b"GNU.sparse.major") == b"1":
        return _inline(source, stored, limits)
    listed = records.get(b"GNU.sparse.map")
    if listed is None:
        raise unsupported("a sparse file in the PAX format 0.0")
    return _pairs([natural(value) for value in listed.split(b",")], limits), 0


def from_old_header(block: bytes, source: Source, limits: Limits) -> tuple[Extents, int, int]:
    """(map, real size of the file, number of bytes of further map blocks)."""
    numbers = _old_numbers(block, _OLD_FIRST, _OLD_FIRST_COUNT)
    size, more, taken = number(block[_OLD_SIZE : _OLD_SIZE + _NUMBER]), block[_OLD_MORE], 0
    while more:
        block = source.exactly(BLOCK)
        taken += BLOCK
        numbers += _old_numbers(block, 0, _OLD_COUNT)
        _bounded(len(numbers) // 2, limits)
        more = block[_OLD_NEXT]
    return _pairs(numbers, limits), size, taken


def check(extents: Extents, *, size: int, stored: int) -> None:
    """In order, inside the file, and exactly as long as what the archive holds."""
    end = 0
    for offset, length in extents:
        if offset < end or length < 0:
            raise damaged("the parts of a sparse file overlap")
        end = offset + length
    if end > size or sum(length for _, length in extents) != stored:
        raise damaged("the parts of a sparse file do not fit its size")


def _inline(source: Source, stored: int, limits: Limits) -> tuple[Extents, int]:
    """Format 1.0: decimal lines at the start of the content, filled up to whole blocks."""
    lines = _Lines(source, stored)
    count = _bounded(lines.number(), limits)
    numbers = [lines.number() for _ in range(2 * count)]
    return _pairs(numbers, limits), lines.taken


class _Lines:
    """Numbers, one a line, out of as few blocks as possible; never past `stored` bytes."""

    def __init__(self, source: Source, stored: int) -> None:
        self._source, self._stored = source, stored
        self._lines: list[bytes] = [b""]
        self.taken = 0

    def number(self) -> int:
        while len(self._lines) < 2:
            self._refill()
        return natural(self._lines.pop())

    def _refill(self) -> None:
        self.taken += BLOCK
        if self.taken > self._stored:
            raise damaged("the map of a sparse file is longer than the file")
        text = self._lines[0] + self._source.exactly(BLOCK)
        self._lines = text.split(b"\n")[::-1]


def _old_numbers(block: bytes, at: int, pairs: int) -> list[int]:
    """Numbers of the map entries that are in use: an unused one is all NUL."""
    entries = (block[start : start + _PAIR] for start in range(at, at + pairs * _PAIR, _PAIR))
    used = [entry for entry in entries if entry[0] or entry[_NUMBER]]
    return [number(part) for entry in used for part in (entry[:_NUMBER], entry[_NUMBER:])]


def _pairs(numbers: list[int], limits: Limits) -> Extents:
    if len(numbers) % 2:
        raise damaged("the map of a sparse file is cut")
    _bounded(len(numbers) // 2, limits)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _bounded(count: int, limits: Limits) -> int:
    if count > limits.extents:
        raise hostile(f"a sparse file has more than {limits.extents} parts")
    return count
