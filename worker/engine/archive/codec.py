"""One segment of tar bytes into one gzip member.

Each level is the fastest setting of ISA-L or libdeflate whose output stays within 3 % of zlib's
at that level on text, JSON, databases and executables (table in docs/design.md). Where a search
for long matches gains next to nothing (keys, random identifiers), a sample shows it, and levels 5
and 6 take ISA-L, four times as fast. Both release the interpreter lock. Content that does not
compress is stored: a copy and a CRC.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import deflate
from isal import igzip_lib

from worker.engine.archive.chunks import joined
from worker.engine.errors import ArchiveError

Bytes = bytes | bytearray | memoryview

STORED = 0
MAX_RAW = 64 * 1024 * 1024  # no segment of any version is larger when unpacked, in bytes

_ISAL = {1: 2, 2: 3, 3: 3}
# Small blocks: Huffman tables follow the content more closely, 2 % smaller at the same speed.
_ISAL_MEMORY = igzip_lib.MEM_LEVEL_SMALL
_LIBDEFLATE = {STORED: 0, 4: 2, 5: 4, 6: 5, 7: 6, 8: 7, 9: 9}

_QUICK = 3  # ISA-L's level that may stand in for libdeflate's at these levels of ours
_QUICK_FOR = (5, 6)
_QUICK_LOSS = 1.022  # times libdeflate's size: it is itself within 0.8 % of zlib's
_TRIAL = 64 * 1024  # bytes: twice the window of deflate

_SAMPLE = 4096
_SAMPLES_PER_BLOCK = 4
_INCOMPRESSIBLE = 0.97  # a sample that keeps more than this of its size is media or ciphertext


class Trial:
    """Whether ISA-L will do for `raw` and what is like it; tried once, when first asked.

    Of segments in a row that are alike one tells for the others: trying each costs a seventh of
    what packing it does.
    """

    def __init__(self, raw: Sequence[Bytes], level: int, number: int = 0) -> None:
        """`raw` in pieces. `number`: what another process knows it by."""
        self.number = number
        self._raw, self._level = raw, level
        self._lock = threading.Lock()
        self._answer: bool | None = None

    def forget(self) -> None:
        """Nobody asks here."""
        self._raw = ()

    def quick(self) -> bool:
        """From any thread."""
        with self._lock:
            if self._answer is None:
                wanted = self._level in _QUICK_FOR
                self._answer = wanted and _quick_will_do(joined(self._raw), self._level)
                self.forget()
            return self._answer


def compress(raw: Bytes, level: int, trial: Trial | None = None) -> bytes | bytearray:
    """One gzip member with time 0. `level` 0 stores, 1-9 as users know them from gzip.

    `trial` tells of this content or of some that is like it; without one it is tried here.
    """
    if level in _ISAL:
        return _isal(raw, _ISAL[level])
    if (trial or Trial([raw], level)).quick():
        return _isal(raw, _QUICK)
    return deflate.gzip_compress(raw, _LIBDEFLATE[level])


def _isal(raw: Bytes, level: int) -> bytes:
    return igzip_lib.compress(raw, level, igzip_lib.COMP_GZIP, _ISAL_MEMORY)


def _quick_will_do(raw: Bytes, level: int) -> bool:
    """Whether ISA-L loses next to nothing on samples, which are an eighth of the segment at most
    or a quarter of one below half a MiB."""
    view = memoryview(raw)
    size = len(view)
    count = 2 if size >= 16 * _TRIAL else 1 if size >= 4 * _TRIAL else 0
    quick = thorough = 0
    for number in range(1, count + 1):
        sample = view[size * number // (count + 1) - _TRIAL // 2 :][:_TRIAL]
        quick += len(_isal(sample, _QUICK))
        thorough += len(deflate.gzip_compress(sample, _LIBDEFLATE[level]))
    return 0 < quick <= thorough * _QUICK_LOSS


def decompress(member: Bytes) -> bytes | bytearray:
    """The bytes of exactly one gzip member. Raises `ArchiveError` when it is damaged."""
    view = memoryview(member)
    size = int.from_bytes(view[-4:], "little")
    if len(view) < 18 or not 0 < size <= MAX_RAW:  # no writer makes an empty segment
        raise ArchiveError("A segment is not a gzip member of the size promised.")
    try:
        return deflate.gzip_decompress(view, size)
    except (deflate.DeflateError, ValueError) as error:
        raise ArchiveError(f"A segment does not unpack: {error}.") from error


def looks_compressed(block: Bytes) -> bool:
    """Whether samples spread over `block` say that squeezing it would be wasted time.

    Blocks under 8 KiB are always worth a try: they cost nothing.
    """
    size = len(block)
    if size < 2 * _SAMPLE:
        return False
    view = memoryview(block)
    count = _SAMPLES_PER_BLOCK if size >= 64 * 1024 else 1
    step = (size - _SAMPLE) // count
    sample = b"".join(view[i * step + step // 2 :][:_SAMPLE] for i in range(count))
    return len(igzip_lib.compress(sample, 0)) > _INCOMPRESSIBLE * len(sample)
