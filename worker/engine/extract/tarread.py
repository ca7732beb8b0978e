"""Reads a tar stream member by member: ustar, PAX, GNU long names, GNU sparse files.

Not `tarfile`: a stream is hostile input here, so every length is bounded before it is read,
nothing is kept of members gone by, and a million small members cost seconds. What does not
follow the rules is refused with an `ArchiveError`; nothing is guessed or repaired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from worker.engine.extract import pax, sparse
from worker.engine.extract.blocks import Piece, Readable, Source
from worker.engine.extract.limits import Limits
from worker.engine.extract.refusals import damaged, hostile, shown, truncated, unsupported
from worker.engine.extract.tarheader import (
    BLOCK,
    CHARACTER,
    CONTIGUOUS,
    DEVICE,
    DIRECTORY,
    FIFO,
    FILE,
    HARDLINK,
    LONG_LINK,
    LONG_NAME,
    OLD_FILE,
    OLD_SPARSE,
    PAX,
    PAX_GLOBAL,
    SOLARIS_PAX,
    SYMLINK,
    VOLUME_LABEL,
    ZEROS,
    Header,
    parse,
)

_FILES = (FILE, OLD_FILE, CONTIGUOUS)
_WITHOUT_CONTENT = frozenset((HARDLINK, SYMLINK, CHARACTER, DEVICE, DIRECTORY, FIFO))
_DEFAULT = Limits()


@dataclass(slots=True)
class Member(Header):
    """One member. `path`, `link` and names are bytes as stored; `mtime` is in nanoseconds.

    `kind` is one of FILE, HARDLINK, SYMLINK, CHARACTER, DEVICE, DIRECTORY, FIFO. `size` is the
    file's length; `left` what is still to be read of its content, which for a sparse file is
    only the bytes inside `extents`. Content must be read before the next member is asked for.
    """

    left: int = 0
    extents: sparse.Extents | None = None
    source: Source = field(default_factory=lambda: Source(_Nothing()), repr=False)

    def read(self, size: int) -> Piece:
        """Up to `size` bytes of content, an empty piece when there is no more. It is good until
        something else is read, or as long as it is held."""
        piece = self.source.some(min(size, self.left)) if self.left else b""
        if self.left and not piece:
            raise truncated()
        self.left -= len(piece)
        return piece

    def hold(self) -> Callable[[], None]:
        """What was just read stays as it is until what this returns is called."""
        return self.source.hold()

    def read_all(self) -> bytes:
        """The whole rest in one piece; for small files."""
        size, self.left = self.left, 0
        return self.source.exactly(size)


def read_members(stream: Readable, limits: Limits = _DEFAULT) -> Iterator[Member]:
    """Members in archive order. What was not read of a member's content is skipped.

    The stream is read to its very end, so that whatever its reader verifies there is verified.
    Raises `ArchiveError`: ARCHIVE_TRUNCATED, ARCHIVE_DAMAGED, ARCHIVE_HOSTILE (a limit passed),
    FORMAT_UNSUPPORTED.
    """
    reader = _Reader(Source(stream), limits)
    while (member := reader.next()) is not None:
        yield member
    reader.check_end()


class _Nothing:
    def read(self, size: int, /) -> bytes:
        return b""


class _Extensions:
    """What the headers before a member say about it."""

    __slots__ = ("link", "path", "records")

    def __init__(self) -> None:
        self.records: pax.Records | None = None
        self.path: bytes | None = None
        self.link: bytes | None = None


class _Reader:
    def __init__(self, source: Source, limits: Limits) -> None:
        self._source, self._limits = source, limits
        self._globals: pax.Records = {}
        self._headers = 0
        self._total = 0
        self._last: Member | None = None
        self._gap = 0

    def next(self) -> Member | None:
        """The next member, or None at the first block of the end mark."""
        self._leave_last()
        extensions: _Extensions | None = None
        while True:
            block = self._source.block()
            if not block:
                raise truncated()
            if block == ZEROS:
                if extensions is not None:
                    raise damaged("it ends between a member's headers")
                return None
            header = parse(block)
            self._count()
            kind = header.kind
            if kind in _FILES or kind in _WITHOUT_CONTENT or kind == OLD_SPARSE:
                return self._member(header, block, extensions)
            extensions = self._extend(header, extensions)

    def check_end(self) -> None:
        """A second block of zeros, then nothing but zeros, not too many of them."""
        if not any(self._source.exactly(BLOCK)):
            seen = 0
            while piece := self._source.some(BLOCK * 128):
                seen += len(piece)
                if any(piece) or seen > self._limits.trailing:
                    raise damaged("something follows its end")
            return
        raise damaged("its end mark is broken")

    def _leave_last(self) -> None:
        if self._last is not None:
            self._source.skip(self._last.left + self._gap)
            self._last.left, self._last = 0, None

    def _count(self) -> None:
        self._headers += 1
        if self._headers > self._limits.members:
            raise hostile(f"it holds more than {self._limits.members} members")

    def _member(self, header: Header, block: bytes, extensions: _Extensions | None) -> Member:
        if extensions is not None or self._globals:
            self._apply(header, extensions or _Extensions())
        elif header.kind != FILE:
            _normalise(header)
        member = Member(
            header.path, header.kind, header.mode, header.uid, header.gid, header.size,
            header.mtime, header.link, header.uname, header.gname, header.xattrs,
            header.size, None, self._source,
        )  # fmt: skip
        self._gap = -header.size % BLOCK
        if header.kind == OLD_SPARSE:
            self._expand_old(member, block)
        elif extensions is not None and extensions.records is not None:
            self._expand_pax(member, extensions.records)
        self._check(member)
        self._last = member
        return member

    def _apply(self, header: Header, extensions: _Extensions) -> None:
        """Global records, then GNU long names, then the member's own records."""
        pax.apply(header, self._globals)
        header.path = header.path if extensions.path is None else extensions.path
        header.link = header.link if extensions.link is None else extensions.link
        if extensions.records is not None:
            pax.apply(header, extensions.records)
        _normalise(header)

    def _check(self, member: Member) -> None:
        self._total += member.left
        if self._total > self._limits.total:
            raise hostile(f"it unpacks to more than {self._limits.total} bytes")
        if member.size and member.kind != FILE:
            raise hostile(f"{shown(member.path)} is no file but has content")
        if member.kind == FILE and member.path.endswith(b"/"):
            raise hostile(f"{shown(member.path)} has a folder's name but is a file")

    def _expand_old(self, member: Member, block: bytes) -> None:
        extents, member.size, _ = sparse.from_old_header(block, self._source, self._limits)
        sparse.check(extents, size=member.size, stored=member.left)
        member.kind, member.extents = FILE, extents

    def _expand_pax(self, member: Member, records: pax.Records) -> None:
        if not any(keyword.startswith(pax.SPARSE) for keyword in records):
            return
        if member.kind != FILE:
            raise damaged("something that is no file is said to be sparse")
        extents, taken = sparse.from_pax(records, self._source, member.left, self._limits)
        member.left -= taken
        real = records.get(b"GNU.sparse.realsize") or records.get(b"GNU.sparse.size")
        member.size = pax.natural(real) if real else member.size
        member.path = records.get(b"GNU.sparse.name", member.path)
        sparse.check(extents, size=member.size, stored=member.left)
        member.extents = extents

    def _extend(self, header: Header, extensions: _Extensions | None) -> _Extensions | None:
        kind = header.kind
        if kind == VOLUME_LABEL and extensions is None and header.size == 0:
            return None
        if kind == PAX_GLOBAL and extensions is None:
            self._globals.update(pax.parse_global(self._content(header, self._limits.pax)))
            return None
        extensions = extensions or _Extensions()
        if kind in (PAX, SOLARIS_PAX) and extensions.records is None:
            extensions.records = pax.parse(self._content(header, self._limits.pax))
        elif kind == LONG_NAME and extensions.path is None:
            extensions.path = self._long(header)
        elif kind == LONG_LINK and extensions.link is None:
            extensions.link = self._long(header)
        else:
            raise _unknown(kind)
        return extensions

    def _long(self, header: Header) -> bytes:
        return self._content(header, self._limits.path + 1).partition(b"\0")[0]

    def _content(self, header: Header, limit: int) -> bytes:
        if header.size > limit:
            raise hostile(f"a header of {header.size} bytes; at most {limit} are taken")
        data = self._source.exactly(header.size)
        self._source.skip(-header.size % BLOCK)
        return data


def _normalise(header: Header) -> None:
    """Old spellings of a file and of a folder (a name ending in a slash) become today's."""
    if header.kind in _FILES:
        folder = header.kind == OLD_FILE and header.path.endswith(b"/") and not header.size
        header.kind = DIRECTORY if folder else FILE


def _unknown(kind: bytes) -> Exception:
    if kind in (PAX, SOLARIS_PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK):
        return damaged("two headers say the same of one member")
    return unsupported(f"a member of type {kind!r}")
