"""Tar headers: POSIX ustar with PAX records where ustar cannot say it.

Deterministic: the same member gives the same bytes on every run and host. Sources of the
layout: POSIX.1-2017 pax(1), "ustar Interchange Format" and "pax Extended Header"; the
`SCHILY.xattr.` prefix for extended attributes is star's, read by GNU tar, bsdtar and star.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple
from zlib import adler32

BLOCK = 512
END_OF_ARCHIVE = bytes(2 * BLOCK)
MAX_OCTAL_7 = 0o7777777  # mode, uid, gid: seven octal digits
MAX_OCTAL_11 = 0o77777777777  # size, mtime: eleven octal digits (8 GiB - 1, year 2242)

_MAX_TIME = MAX_OCTAL_11 * 1_000_000_000

REGULAR, HARDLINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"

_ZEROS = bytes(BLOCK)
_USTAR = b"ustar\x0000"
_BLANK_CHECKSUM = 8 * ord(" ")


class TarEntry(NamedTuple):
    """One member. `path` is the whole name in the archive, bytes, directories end with `/`.

    `size` in bytes (0 unless regular), `mtime_ns` nanoseconds since the epoch, may be negative.
    """

    path: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    link: bytes = b""
    uname: bytes = b""
    gname: bytes = b""
    xattrs: Mapping[bytes, bytes] = MappingProxyType({})
    real_size: int | None = None  # of a file with holes, whose content is a map and extents


def header(entry: TarEntry) -> bytes:
    """The member's header blocks: a PAX header and its records where needed, then ustar's."""
    records = _pax_records(entry)
    return _pax_member(records) + _ustar(entry) if records else _ustar(entry)


def padding(size: int) -> bytes:
    """The zeros that fill `size` bytes of content up to a whole block."""
    return _ZEROS[: -size % BLOCK]


def padded(size: int) -> int:
    """`size` rounded up to whole blocks, in bytes."""
    return size + (-size % BLOCK)


def _ustar(entry: TarEntry) -> bytes:
    # Few and large steps: this runs for every file. %b takes the name as it is.
    path, kind, mode, uid, gid, size, mtime_ns, link, uname, gname, _, _ = entry
    seconds = mtime_ns // 1_000_000_000
    body = b"%b%b%011o\0%011o\0" % (
        path[:100].ljust(100, b"\0"),
        _rights(mode, uid, gid),
        size if size <= MAX_OCTAL_11 else 0,
        seconds if 0 <= seconds <= MAX_OCTAL_11 else min(max(seconds, 0), MAX_OCTAL_11),
    )
    tail, tail_sum = _tail(kind, link, uname, gname)
    # Adler-32's lower half is one more than the sum of the bytes, as long as that is below 65520.
    checksum = (adler32(body) & 0xFFFF) - 1 + tail_sum
    return b"%b%06o\0 %b" % (body, checksum, tail)


@lru_cache(maxsize=256)
def _rights(mode: int, uid: int, gid: int) -> bytes:
    """Three fields that are the same for most files."""
    return b"%07o\0%07o\0%07o\0" % (
        mode & 0o7777,
        uid if uid <= MAX_OCTAL_7 else 0,
        gid if gid <= MAX_OCTAL_7 else 0,
    )


@lru_cache(maxsize=256)
def _tail(kind: bytes, link: bytes, uname: bytes, gname: bytes) -> tuple[bytes, int]:
    """What stands behind the checksum, the same for most files, and what it adds to the sum."""
    owner = uname[:31].ljust(32, b"\0") + gname[:31].ljust(32, b"\0")
    tail = (kind + link[:100].ljust(100, b"\0") + _USTAR + owner).ljust(BLOCK - 156, b"\0")
    return tail, sum(tail) + _BLANK_CHECKSUM


def _pax_records(entry: TarEntry) -> bytes:
    """All records of the member; empty when ustar says everything."""
    path, _, _, uid, gid, size, mtime_ns, link, _, _, xattrs, real_size = entry
    out = b""
    if mtime_ns % 1_000_000_000 or not 0 <= mtime_ns <= _MAX_TIME:
        out = _record(b"mtime", _decimal(mtime_ns))
    if len(path) > 100 or len(link) > 100:
        out += _long_names(entry)
    if size > MAX_OCTAL_11 or uid > MAX_OCTAL_7 or gid > MAX_OCTAL_7:
        out += _large_numbers(entry)
    if real_size is not None:
        out += _sparse(entry, real_size)
    for keyword in sorted(xattrs) if xattrs else ():
        out += _record(b"SCHILY.xattr." + _escaped(keyword), xattrs[keyword])
    return out


def _escaped(name: bytes) -> bytes:
    """A keyword ends at the first `=`; GNU tar writes and reads such names like this."""
    return name.replace(b"%", b"%25").replace(b"=", b"%3D")


def _long_names(entry: TarEntry) -> bytes:
    out = _record(b"hdrcharset", b"BINARY") if _needs_binary(entry) else b""
    if len(entry.path) > 100:
        out += _record(b"path", entry.path)
    if len(entry.link) > 100:
        out += _record(b"linkpath", entry.link)
    return out


def _sparse(entry: TarEntry, real_size: int) -> bytes:
    """Version 1.0 of GNU tar's sparse format."""
    return b"".join(
        (
            _record(b"GNU.sparse.major", b"1"),
            _record(b"GNU.sparse.minor", b"0"),
            _record(b"GNU.sparse.name", entry.path),
            _record(b"GNU.sparse.realsize", b"%d" % real_size),
        )
    )


def _large_numbers(entry: TarEntry) -> bytes:
    return b"".join(
        _record(keyword, b"%d" % number)
        for keyword, number, limit in (
            (b"size", entry.size, MAX_OCTAL_11),
            (b"uid", entry.uid, MAX_OCTAL_7),
            (b"gid", entry.gid, MAX_OCTAL_7),
        )
        if number > limit
    )


def _needs_binary(entry: TarEntry) -> bool:
    """Whether a record holds a name that is not UTF-8, which PAX wants announced."""
    return any(
        len(name) > 100 and not name.isascii() and not _is_utf8(name)
        for name in (entry.path, entry.link)
    )


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decimal(ns: int) -> bytes:
    """Seconds with up to nine decimals and no trailing zeros; the sign covers the whole number."""
    seconds, fraction = divmod(abs(ns), 1_000_000_000)
    text = b"%b%d.%09d" % (b"-" if ns < 0 else b"", seconds, fraction)
    return text.rstrip(b"0").rstrip(b".")


def _record(keyword: bytes, value: bytes) -> bytes:
    """`LENGTH KEYWORD=VALUE\n`, where LENGTH counts itself."""
    return b"%d %b=%b\n" % (_with_itself(len(keyword) + len(value) + 3), keyword, value)


@lru_cache(maxsize=1024)
def _with_itself(rest: int) -> int:
    """How long it is together with its own digits, which come before `rest` bytes."""
    length = rest + len(str(rest))
    return rest + len(str(length))


def _pax_member(records: bytes) -> bytes:
    return _pax_ustar(len(records)) + records + padding(len(records))


@lru_cache(maxsize=4096)
def _pax_ustar(size: int) -> bytes:
    """Depends on the size alone, so that it is computed once for most files."""
    entry = TarEntry(b"././@PaxHeader", b"x", 0o644, 0, 0, size, 0)
    return _ustar(entry)
