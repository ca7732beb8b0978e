"""Builds tar archives that no honest program would write, one per way to do harm.

Headers are laid out by hand here, so that a fault in the engine's own writer or reader cannot
hide itself.
"""

# ruff: noqa: E501  (a table: one case a line)

from __future__ import annotations

import os
from dataclasses import dataclass

BLOCK = 512
END = bytes(2 * BLOCK)


def octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def header(
    path: bytes,
    kind: bytes = b"0",
    *,
    size: int | bytes = 0,
    link: bytes = b"",
    mode: int | bytes = 0o644,
    magic: bytes = b"ustar\x0000",
    mtime: bytes = octal(1_700_000_000, 12),
    owner: int | None = None,
    tail: bytes = b"",
) -> bytes:
    """One header block with a right checksum; numbers given as bytes are taken as they are.

    The owner is whoever runs this, unless told.
    """
    size_field = size if isinstance(size, bytes) else octal(size, 12)
    mode_field = mode if isinstance(mode, bytes) else octal(mode, 8)
    user, group = (os.geteuid(), os.getegid()) if owner is None else (owner, owner)
    ids = octal(user, 8) + octal(group, 8)
    start = path.ljust(100, b"\0")[:100] + mode_field + ids + size_field + mtime
    rest = kind + link.ljust(100, b"\0")[:100] + magic + bytes(64 + 16) + tail
    blank = (start + b" " * 8 + rest).ljust(BLOCK, b"\0")
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def file(path: bytes, content: bytes = b"x") -> bytes:
    return header(path, size=len(content)) + padded(content)


def folder(path: bytes) -> bytes:
    return header(path, b"5", mode=0o755)


def symlink(path: bytes, target: bytes) -> bytes:
    return header(path, b"2", link=target)


def hardlink(path: bytes, target: bytes) -> bytes:
    return header(path, b"1", link=target)


def record(keyword: bytes, value: bytes) -> bytes:
    body = b" " + keyword + b"=" + value + b"\n"
    length = len(body)
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    body = b"".join(record(keyword, value) for keyword, value in records)
    return header(b"PaxHeader", kind, size=len(body)) + padded(body)


def raw_pax(body: bytes) -> bytes:
    return header(b"PaxHeader", b"x", size=len(body)) + padded(body)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    body = name + b"\0"
    return header(b"././@LongLink", kind, size=len(body), magic=b"ustar  \0") + padded(body)


@dataclass(frozen=True)
class Hostile:
    """An archive and the code it must be refused with."""

    name: str
    tar: bytes
    code: str = "ARCHIVE_HOSTILE"


GOOD = folder(b"data/") + file(b"data/good")
_DAMAGED, _TRUNCATED, _FOREIGN = "ARCHIVE_DAMAGED", "ARCHIVE_TRUNCATED", "FORMAT_UNSUPPORTED"


def _names() -> list[Hostile]:
    paths = {
        "a path through dot-dot": b"data/../../escaped",
        "dot-dot right after data": b"data/..",
        "dot-dot before data": b"../data/escaped",
        "an absolute path": b"/tmp/escaped",
        "an absolute path after data": b"data//tmp/escaped",
        "a path outside of data": b"other/escaped",
        "a path that only begins like data": b"database/escaped",
        "a dot in the path": b"data/./escaped",
        "an empty path": b"",
        "data itself as a file": b"data",
    }
    plain = [Hostile(name, GOOD + file(path) + END) for name, path in paths.items()]
    return [
        *plain,
        Hostile("dot-dot by a PAX path", GOOD + pax((b"path", b"data/../../e")) + file(b"data/a") + END),
        Hostile("dot-dot by a GNU long name", GOOD + long_name(b"data/../../e") + file(b"data/a") + END),
        Hostile("a NUL in a PAX path", GOOD + pax((b"path", b"data/a\0b")) + file(b"data/a") + END),
        Hostile("a name of 256 bytes", GOOD + pax((b"path", b"data/" + b"n" * 256)) + file(b"d") + END),
        Hostile("751 folders deep", GOOD + pax((b"path", b"data" + b"/d" * 751)) + file(b"d") + END),
        Hostile("a path of 70,000 bytes", GOOD + pax((b"path", b"data" + (b"/" + b"d" * 199) * 350)) + file(b"d") + END),
        Hostile("dot-dot in a sparse file's name", GOOD + pax(
            (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.name", b"data/../../e"), (b"GNU.sparse.realsize", b"0"),
        ) + file(b"data/a", b"0\n".ljust(BLOCK, b"\0")) + END),
        Hostile("a name for all by a global header", pax((b"path", b"data/a"), kind=b"g") + GOOD + END),
    ]  # fmt: skip


def _links() -> list[Hostile]:
    link = symlink(b"data/ln", b"/tmp")
    return [
        Hostile("a file through a symlink before it", GOOD + link + file(b"data/ln/escaped") + END),
        Hostile("a file in the place of a symlink", GOOD + link + file(b"data/ln") + END),
        Hostile("a folder in the place of a symlink", GOOD + symlink(b"data/ln", b"good") + folder(b"data/ln/") + END),
        Hostile("two symlinks of one name", GOOD + symlink(b"data/l", b"good") * 2 + END),
        Hostile("a hard link to a symlink", GOOD + symlink(b"data/s", b"good") + hardlink(b"data/h", b"data/s") + END),
        Hostile("a hard link to an absolute path", GOOD + hardlink(b"data/h", b"/etc/passwd") + END),
        Hostile("a hard link through dot-dot", GOOD + hardlink(b"data/h", b"data/../../x") + END),
        Hostile("a hard link through a symlink", GOOD + symlink(b"data/s", b"/etc") + hardlink(b"data/h", b"data/s/passwd") + END),
        Hostile("a hard link to a later file", GOOD + hardlink(b"data/h", b"data/z") + file(b"data/z") + END),
        Hostile("a hard link to a folder", GOOD + folder(b"data/d/") + file(b"data/d/f") + hardlink(b"data/h", b"data/d") + END),
        Hostile("a hard link to data itself", GOOD + hardlink(b"data/h", b"data") + END),
        Hostile("data itself a symlink", symlink(b"data", b"/tmp") + file(b"data/escaped") + END),
    ]  # fmt: skip


def _published() -> list[Hostile]:
    """The shapes by which Python's own `tarfile` was made to write outside, as published."""
    outside = symlink(b"data/out", b"/etc/passwd")
    return [
        Hostile("CVE-2025-4517, a chain of links longer than a path", GOOD + _long_chain() + END),
        Hostile("CVE-2026-11940, a file over a hard link to a symlink", GOOD + outside + hardlink(b"data/h", b"data/out") + file(b"data/h", b"root::0:0") + END),
        Hostile("CVE-2026-82049, a mode through a hard link to a symlink", GOOD + outside + header(b"data/h", b"1", link=b"data/out", mode=0o777) + END),
        Hostile("CVE-2025-4330, a link through a link that is made later", GOOD + symlink(b"data/a/b", b"../../..") + symlink(b"data/a", b"c") + folder(b"data/c/") + file(b"data/a/b/escaped") + END),
    ]  # fmt: skip


def _long_chain() -> bytes:
    """Folders with names so long that what their short links lead to cannot be resolved: then a
    link that climbs out of them, and a hard link through it."""
    name, steps = b"d" * 247, [b"%c" % letter for letter in b"abcdefghijklmnop"]
    made, path = b"", b"data"
    for step in steps:
        made += pax((b"path", path + b"/" + name)) + folder(b"d/")
        made += pax((b"path", path + b"/" + step), (b"linkpath", name)) + symlink(b"s", b"t")
        path += b"/" + name
    last = b"data/" + b"/".join(steps) + b"/" + b"l" * 254
    made += pax((b"path", last), (b"linkpath", b"../" * len(steps))) + symlink(b"s", b"t")
    made += pax((b"path", b"data/escape"), (b"linkpath", last[5:] + b"/../../etc")) + symlink(
        b"s", b"t"
    )
    return made + hardlink(b"data/h", b"data/escape/passwd") + file(b"data/h", b"root::0:0")


def _kinds() -> list[Hostile]:
    return [
        Hostile("the same file twice", GOOD + file(b"data/good") + END),
        Hostile("the same folder twice", GOOD + folder(b"data/d/") * 2 + END),
        Hostile("a folder that is a file already", GOOD + folder(b"data/good/") + END),
        Hostile("a file below a file", GOOD + file(b"data/good/inner") + END),
        Hostile("a file that is a folder already", GOOD + file(b"data/d/f") + file(b"data/d") + END),
        Hostile("a character device", GOOD + header(b"data/null", b"3") + END),
        Hostile("a block device", GOOD + header(b"data/disk", b"4") + END),
        Hostile("a folder with content", GOOD + header(b"data/d/", b"5", size=4) + padded(b"abcd") + END),
        Hostile("a symlink with content", GOOD + header(b"data/s", b"2", size=4, link=b"good") + padded(b"abcd") + END),
        Hostile("a file with a folder's name", GOOD + file(b"data/f/") + END),
        Hostile("an unknown type", GOOD + header(b"data/q", b"Q") + END, _FOREIGN),
        Hostile("a further volume of a multi-volume archive", GOOD + header(b"data/q", b"M") + END, _FOREIGN),
    ]  # fmt: skip


def _numbers() -> list[Hostile]:
    minus_one = b"\xff" * 12
    good = header(b"data/a")
    return [
        Hostile("a negative size", GOOD + header(b"data/a", size=minus_one) + END, _DAMAGED),
        Hostile("a negative size in octal", GOOD + header(b"data/a", size=b"-0000000001\0") + END, _DAMAGED),
        Hostile("a negative PAX size", GOOD + pax((b"size", b"-1")) + file(b"data/a") + END, _DAMAGED),
        Hostile("digits that are not octal", GOOD + header(b"data/a", size=b"00000000008\0") + END, _DAMAGED),
        Hostile("an underscore in a number", GOOD + header(b"data/a", size=b"0000_000001\0") + END, _DAMAGED),
        Hostile("a size of 2**88", GOOD + header(b"data/a", size=b"\x80\x7f" + b"\xff" * 10) + END),
        Hostile("a PAX size of 2**62", GOOD + pax((b"size", b"4611686018427387904")) + file(b"data/a") + END),
        Hostile("a PAX size of twenty digits", GOOD + pax((b"size", b"9" * 20)) + file(b"data/a") + END, _DAMAGED),
        Hostile("a PAX time that is no number", GOOD + pax((b"mtime", b"now")) + file(b"data/a") + END, _DAMAGED),
        Hostile("a PAX time out of range", GOOD + pax((b"mtime", b"9" * 19)) + file(b"data/a") + END, _DAMAGED),
        Hostile("a wrong checksum", GOOD + good[:10] + b"!" + good[11:] + END, _DAMAGED),
        Hostile("a header of random bytes", GOOD + bytes(range(256)) * 2 + END, _DAMAGED),
    ]  # fmt: skip


def _headers() -> list[Hostile]:
    huge = header(b"PaxHeader", b"x", size=2 * 1024 * 1024) + bytes(2 * 1024 * 1024)
    return [
        Hostile("a PAX header of 2 MiB", GOOD + huge + file(b"data/a") + END),
        Hostile("a GNU long name of 100 KB", GOOD + long_name(b"data/" + b"n" * 100_000) + file(b"a") + END),
        Hostile("two PAX headers of one member", GOOD + pax((b"uid", b"1")) * 2 + file(b"data/a") + END, _DAMAGED),
        Hostile("two long names of one member", GOOD + long_name(b"data/a") * 2 + file(b"data/a") + END, _DAMAGED),
        Hostile("a PAX header of no member", GOOD + pax((b"uid", b"1")) + END, _DAMAGED),
        Hostile("a PAX record without length", GOOD + raw_pax(b"path=data/a\n") + file(b"data/a") + END, _DAMAGED),
        Hostile("a PAX record that is too long", GOOD + raw_pax(b"99 path=data/a\n") + file(b"data/a") + END, _DAMAGED),
        Hostile("a PAX record of length 0", GOOD + raw_pax(b"0 path=a\n") + file(b"data/a") + END, _DAMAGED),
        Hostile("a PAX record without an end of line", GOOD + raw_pax(b"12 path=a/b ") + file(b"data/a") + END, _DAMAGED),
        Hostile("a PAX record without a keyword", GOOD + raw_pax(b"5 =a\n") + file(b"data/a") + END, _DAMAGED),
    ]  # fmt: skip


def sparse(map_text: bytes, *, real: int, content: bytes = b"") -> bytes:
    """A sparse file in PAX format 1.0 with any map."""
    body = padded(map_text) + content
    records = pax(
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", b"data/sparse"),
        (b"GNU.sparse.realsize", b"%d" % real),
    )
    return records + file(b"data/GNUSparseFile.0/sparse", body)


def _sparse() -> list[Hostile]:
    return [
        Hostile("sparse parts that overlap", GOOD + sparse(b"2\n0\n4\n2\n4\n", real=8, content=b"abcdefgh") + END, _DAMAGED),
        Hostile("a sparse part past the end", GOOD + sparse(b"1\n9\n4\n", real=8, content=b"abcd") + END, _DAMAGED),
        Hostile("sparse parts with too little content", GOOD + sparse(b"1\n0\n8\n", real=8, content=b"abcd") + END, _DAMAGED),
        Hostile("a sparse map of a billion parts", GOOD + sparse(b"1000000000\n", real=8) + END),
        Hostile("a sparse map that does not end", GOOD + sparse(b"9\n1\n", real=8) + END, _DAMAGED),
        Hostile("a sparse map that is no number", GOOD + sparse(b"one\n", real=8) + END, _DAMAGED),
    ]  # fmt: skip


def _ends() -> list[Hostile]:
    return [
        Hostile("nothing at all", b"", _TRUNCATED),
        Hostile("no data folder", END, _DAMAGED),
        Hostile("no end mark", GOOD, _TRUNCATED),
        Hostile("half an end mark", GOOD + bytes(BLOCK), _TRUNCATED),
        Hostile("a member after half an end mark", GOOD + bytes(BLOCK) + file(b"data/a") + END, _DAMAGED),
        Hostile("a second archive after the end", GOOD + END + file(b"data/late") + END, _DAMAGED),
        Hostile("one byte after the end", GOOD + END + b"\1", _DAMAGED),
        Hostile("20 MiB of zeros after the end", GOOD + END + bytes(20 * 1024 * 1024), _DAMAGED),
    ]  # fmt: skip


CORPUS = [
    *_names(),
    *_links(),
    *_published(),
    *_kinds(),
    *_numbers(),
    *_headers(),
    *_sparse(),
    *_ends(),
]
