"""One 512-byte tar header, taken apart (POSIX.1-2017 pax, section "ustar Interchange Format",
and the GNU tar manual, "Basic Tar Format"). Pure: no reading, no limits."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from worker.engine.extract.refusals import damaged

BLOCK = 512
ZEROS = bytes(BLOCK)

FILE, HARDLINK, SYMLINK, CHARACTER, DEVICE, DIRECTORY, FIFO, CONTIGUOUS = (
    b"%d" % number for number in range(8)
)
OLD_FILE = b"\0"
PAX, PAX_GLOBAL, SOLARIS_PAX = b"x", b"g", b"X"
LONG_NAME, LONG_LINK = b"L", b"K"
OLD_SPARSE, VOLUME_LABEL = b"S", b"V"

_unpack: Callable[[bytes], tuple[bytes, ...]] = struct.Struct(
    "100s8s8s8s12s12s8sc100s8s32s32s16x155s12x"
).unpack
_POSIX_MAGIC = b"ustar\0"
_REMEMBERED = 1024  # number fields: modes and owners are the same again and again


@dataclass(slots=True)
class Header:
    """`size` in bytes as said by the header, `mtime` in nanoseconds, names as raw bytes."""

    path: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: bytes
    uname: bytes
    gname: bytes
    xattrs: dict[bytes, bytes] = field(default_factory=dict)


def parse(block: bytes) -> Header:
    """The fields of a header block; `ArchiveError` when its checksum or a number is wrong."""
    (name, mode, uid, gid, size, mtime, stored_sum, kind, link, magic, uname, gname, prefix) = (
        _unpack(block)
    )
    _check_sum(block, number(stored_sum))
    path = name.partition(b"\0")[0]
    if prefix[0] and magic.startswith(_POSIX_MAGIC):
        path = prefix.partition(b"\0")[0] + b"/" + path
    return Header(
        path,
        kind,
        natural(mode),
        natural(uid),
        natural(gid),
        natural(size),
        number(mtime) * 1_000_000_000,
        link.partition(b"\0")[0],
        uname.partition(b"\0")[0],
        gname.partition(b"\0")[0],
    )


@lru_cache(_REMEMBERED)
def natural(field: bytes) -> int:
    """A number field that cannot be negative."""
    value = number(field)
    if value < 0:
        raise damaged("a header holds a negative number")
    return value


@lru_cache(_REMEMBERED)
def number(field: bytes) -> int:
    """Octal digits between blanks or NULs, or GNU's base-256 when the top bit is set."""
    digits = field.strip(b" \0")
    if digits.isdigit():
        try:
            return int(digits, 8)
        except ValueError:
            raise damaged("a header holds a number that is not octal") from None
    if not digits:
        return 0
    return _base256(field)


def _base256(field: bytes) -> int:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    if field[0] == 0xFF:
        return int.from_bytes(field, "big", signed=True)
    raise damaged("a header holds a number that cannot be read")


def _check_sum(block: bytes, stored: int) -> None:
    """The sum of all bytes, those of the sum itself taken as blanks.

    The low half of Adler-32 is one plus the sum of the bytes modulo 65521: it costs a tenth
    of `sum`, which only looks at what it did not agree with (sums of signed bytes, as very
    old tars wrote).
    """
    blanked = block[:148] + b"        " + block[156:]
    if zlib.adler32(blanked) & 0xFFFF != stored + 1 and stored not in _sums(blanked):
        raise damaged("a header's checksum is wrong")


def _sums(blanked: bytes) -> tuple[int, int]:
    unsigned = sum(blanked)
    return unsigned, unsigned - 256 * sum(byte >> 7 for byte in blanked)
