"""A part of an archive as a tar stream of its own, so that it is unpacked like a whole one."""

from __future__ import annotations

from collections.abc import Iterator

from worker.engine.archive import tarwrite
from worker.engine.archive.index_reader import path_not_found
from worker.engine.archive.members import Found, Members, within
from worker.engine.extract.limits import Limits
from worker.engine.extract.membernames import TOP, inside
from worker.engine.extract.refusals import hostile, shown
from worker.engine.extract.tarheader import DIRECTORY, FILE, HARDLINK, SYMLINK
from worker.engine.extract.tarread import Member

_CHUNK = 1024 * 1024
_ZEROS = bytes(_CHUNK)
_LIMITS = Limits()


class Retar:
    """What lies at `path` and below becomes the content of `data/`; a file or link goes into it
    under its own name. A hard link whose first name lies outside of `path` becomes a file.

    `kind` is known at the end of `pieces`: that of what lies at `path`.
    """

    def __init__(self, members: Members, path: bytes) -> None:
        self._members, self._top = members, path
        self._links: dict[bytes, list[Found]] = {}
        self.kind: bytes | None = None

    def pieces(self) -> Iterator[bytes]:
        """The stream. Raises `ArchiveError` (PATH_NOT_FOUND) at its end if nothing was there."""
        for path, member in self._found():
            self._see(path, member)
            if member.kind == HARDLINK:
                self._defer(path, member)
            else:
                yield from self._member(path, member)
        if self.kind is None:
            raise path_not_found(self._top)
        yield from self._linked_outside()
        yield from self._linked()
        yield from self._end()
        yield tarwrite.END_OF_ARCHIVE

    def _found(self) -> Iterator[Found]:
        return self._members.below(self._top)

    def _holds(self, path: bytes) -> bool:
        """Whether the file at that path is part of the stream."""
        return within(path, self._top)

    def _end(self) -> Iterator[bytes]:
        """What else goes into the stream."""
        return iter(())

    def _see(self, path: bytes, member: Member) -> None:
        if path == self._top:
            self.kind = FILE if member.kind == HARDLINK else member.kind
        elif self.kind is None:
            self.kind = DIRECTORY  # an archive need not record its folders, ours does so last

    def _defer(self, path: bytes, member: Member) -> None:
        """Links come last, when every file is there that they may mean."""
        target = inside(member.link, _LIMITS)
        if not target:
            raise hostile(f"{shown(path)} is a hard link to nothing in the archive")
        self._links.setdefault(target, []).append((path, member))

    def _linked_outside(self) -> Iterator[bytes]:
        """First names that were not asked for: their content under a name that was."""
        outside = {target for target in self._links if not self._holds(target)}
        if not outside:
            return
        for target, member in self._members.at(outside):
            if member.kind != FILE or target not in self._links:
                raise hostile(f"{shown(target)} is meant by a hard link but is no single file")
            (first, _), *others = self._links.pop(target)
            yield from self._member(first, member)
            if others:
                self._links[first] = others
        for target in outside & self._links.keys():
            raise hostile(f"{shown(target)} is meant by a hard link but is not there")

    def _linked(self) -> Iterator[bytes]:
        for target, links in self._links.items():
            for path, member in links:
                yield tarwrite.header(self._entry(path, member, self._place(target)))

    def _member(self, path: bytes, member: Member) -> Iterator[bytes]:
        link = member.link if member.kind == SYMLINK else b""
        yield tarwrite.header(self._entry(path, member, link))
        yield from content(member)
        yield tarwrite.padding(member.size)

    def _entry(self, path: bytes, member: Member, link: bytes) -> tarwrite.TarEntry:
        return tarwrite.TarEntry(
            self._place(path) + (b"/" if member.kind == DIRECTORY else b""),
            member.kind, member.mode, member.uid, member.gid, member.size, member.mtime,
            link, member.uname, member.gname, member.xattrs,
        )  # fmt: skip

    def _place(self, path: bytes) -> bytes:
        """Where it goes in the new stream."""
        if path != self._top:
            return TOP + b"/" + path[len(self._top) :].lstrip(b"/")
        return TOP if self.kind == DIRECTORY else TOP + b"/" + path.rpartition(b"/")[2]


def content(member: Member) -> Iterator[bytes]:
    """A file's bytes, the holes of a sparse one as zeros."""
    at = 0
    for offset, length in ((0, member.left),) if member.extents is None else member.extents:
        yield from _zeros(offset - at)
        at = offset + length
        while length:
            piece = member.read(min(length, _CHUNK))
            length -= len(piece)
            yield bytes(piece)
    yield from _zeros(member.size - at)


def _zeros(size: int) -> Iterator[bytes]:
    for start in range(0, size, _CHUNK):
        yield _ZEROS[: size - start]
