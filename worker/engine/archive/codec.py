"""One segment of tar bytes into one gzip member.

Each level is the fastest setting of ISA-L or libdeflate whose output stays within 3 % of zlib's
at that level on text, JSON, databases and executables (table in docs/design.md). Both release
the interpreter lock. Content that does not compress is stored: a copy and a CRC.
"""

from __future__ import annotations

import deflate
from isal import igzip_lib

from worker.engine.errors import ArchiveError

STORED = 0
MAX_RAW = 64 * 1024 * 1024  # no segment of any version is larger when unpacked, in bytes

_ISAL = {1: 2, 2: 3, 3: 3}
# Small blocks: Huffman tables follow the content more closely, 2 % smaller at the same speed.
_ISAL_MEMORY = igzip_lib.MEM_LEVEL_SMALL
_LIBDEFLATE = {STORED: 0, 4: 2, 5: 4, 6: 5, 7: 6, 8: 7, 9: 9}

_SAMPLE = 4096
_SAMPLES_PER_BLOCK = 4
_INCOMPRESSIBLE = 0.97  # a sample that keeps more than this of its size is media or ciphertext


def compress(raw: bytes | bytearray | memoryview, level: int) -> bytes | bytearray:
    """One gzip member with time 0. `level` 0 stores, 1-9 as users know them from gzip."""
    if level in _ISAL:
        return igzip_lib.compress(raw, _ISAL[level], igzip_lib.COMP_GZIP, _ISAL_MEMORY)
    return deflate.gzip_compress(raw, _LIBDEFLATE[level])


def decompress(member: bytes | bytearray | memoryview) -> bytes | bytearray:
    """The bytes of exactly one gzip member. Raises `ArchiveError` when it is damaged."""
    view = memoryview(member)
    size = int.from_bytes(view[-4:], "little")
    if len(view) < 18 or not 0 < size <= MAX_RAW:  # no writer makes an empty segment
        raise ArchiveError("A segment is not a gzip member of the size promised.")
    try:
        return deflate.gzip_decompress(view, size)
    except (deflate.DeflateError, ValueError) as error:
        raise ArchiveError(f"A segment does not unpack: {error}.") from error


def looks_compressed(block: bytes | bytearray | memoryview) -> bool:
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
