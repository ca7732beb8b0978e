"""Unpack a tar stream into an empty folder, and not one byte outside of it.

Files are written as they come, folders made when first needed (ours record them last).
Symlinks wait until every file is there, so nothing is ever written through one; folders get
their modes and times after that, the inner ones first. Everything is on the disk at the end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from worker.engine.extract import membernames
from worker.engine.extract.attributes import Attributes, AttributeSetter, creation_mode
from worker.engine.extract.beneath import Beneath
from worker.engine.extract.blocks import Readable
from worker.engine.extract.limits import Limits
from worker.engine.extract.longfiles import LONG, LongFiles
from worker.engine.extract.pace import Pace
from worker.engine.extract.placing import Placing
from worker.engine.extract.refusals import damaged, hostile, shown
from worker.engine.extract.syncing import synced
from worker.engine.extract.target_errors import as_target_error, no_space
from worker.engine.extract.tarheader import DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK
from worker.engine.extract.tarread import Member, read_members
from worker.engine.extract.warner import Warner
from worker.engine.extract.writefile import create, write_content
from worker.engine.progress import Progress

LinkRule = Callable[[bytes, bytes], bool]

_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_RECORD_COST = 200  # bytes of memory that a record costs beyond its strings


@dataclass(frozen=True)
class Room:
    """`limits` of the archive, and how much `space` (bytes) its files may take on the disk."""

    limits: Limits = field(default_factory=Limits)
    space: int = 1 << 62


_DEFAULT = Room()


@dataclass(frozen=True)
class ExtractResult:
    """What was restored. `bytes` is the content of regular files, `skipped` what was left out.

    `root_recorded`: whether the archive said how the data folder itself is to look.
    """

    files: int
    folders: int
    bytes: int
    skipped: int
    warnings: int
    root_recorded: bool


def extract(
    stream: Readable,
    target: Path,
    progress: Progress,
    *,
    room: Room = _DEFAULT,
    owner: bool = False,
    setuid: bool = False,
    durable: bool = True,
    outside_link: LinkRule = lambda _path, _target: False,
    use_openat2: bool | None = None,
) -> ExtractResult:
    """Unpack the content of `data/` into the existing, empty folder `target`, and sync it unless
    it is not to be `durable`.

    `owner` and `setuid` as in `AttributeSetter`. `outside_link(path, target)` says whether a
    symlink that leads out of the data folder is to be restored; others of that kind are left out
    with a warning. Raises `ArchiveError` for what the archive does wrong, `TargetError` for what
    the disk does; `target` then holds a part.
    """
    with as_target_error("unpacking the backup"):
        root = os.open(target, _ROOT)
        beneath = Beneath(root, use_openat2=use_openat2)
        try:
            setter = AttributeSetter(Warner(progress), owner, setuid)
            run = _Extraction(beneath, progress, room, setter)
            with synced(target, progress, wanted=durable):
                try:
                    for member in read_members(stream, room.limits):
                        run.place(member)
                    run.finish(outside_link)
                finally:
                    run.close()
            return run.result()
        finally:
            beneath.close()
            os.close(root)


class _Extraction:
    def __init__(
        self, beneath: Beneath, progress: Progress, room: Room, setter: AttributeSetter
    ) -> None:
        self._beneath, self._limits, self._space = beneath, room.limits, room.space
        self._pace, self._setter, self._warner = Pace(progress), setter, setter.warner
        self._long = LongFiles()
        self._folders: dict[bytes, Attributes] = {}
        self._links: list[tuple[bytes, bytes, Attributes]] = []
        self._deferred = 0
        self._skipped = 0
        self._seen = False
        self._kinds = {
            FILE: self._file,
            HARDLINK: self._hardlink,
            DIRECTORY: self._folder,
            SYMLINK: self._symlink,
            FIFO: self._fifo,
        }

    def place(self, member: Member) -> None:
        """Write or note down one member."""
        path = membernames.inside(member.path, self._limits)
        if path is None:
            return
        self._seen = True
        if membernames.is_reserved(path):
            self._skip_reserved(path)
            return
        placer = self._kinds.get(member.kind)
        if placer is None:
            raise hostile(f"{shown(path)} is a device")
        if not path and member.kind != DIRECTORY:
            raise hostile("data is not a folder")
        with Placing(path):
            placer(member, path)

    def finish(self, outside_link: LinkRule) -> None:
        """Folders that hold nothing, symlinks, then folders' attributes, inner ones first."""
        if not self._seen:
            raise damaged("it holds no data folder")
        self._long.drain()
        for path in self._folders:
            with Placing(path):
                self._beneath.folder(path)
        for path, target, wanted in self._links:
            inside = membernames.stays_inside(path, target) or outside_link(path, target)
            self._link(path, target, wanted if inside else None)
        for path in sorted(self._folders, reverse=True):
            self._setter.folder(self._beneath.existing(path), path, self._folders[path])
        self._pace.flush()

    def close(self) -> None:
        """Whether it went well or not: no thread and no open file stays behind."""
        self._long.abort()

    def result(self) -> ExtractResult:
        return ExtractResult(
            files=self._pace.files,
            folders=len(self._folders),
            bytes=self._pace.bytes,
            skipped=self._skipped,
            warnings=self._warner.count,
            root_recorded=b"" in self._folders,
        )

    def _file(self, member: Member, path: bytes) -> None:
        if self._pace.bytes + member.left > self._space:
            raise no_space("The backup unpacks to more than there is free space for")
        parent, _, name = path.rpartition(b"/")
        descriptor = create(self._beneath.folder(parent), name, creation_mode(member.mode))
        finish = partial(self._setter.file, descriptor, path, _attributes(member))
        if member.extents is None and member.left >= LONG:
            self._long.write(descriptor, member, self._pace, finish)
        else:
            try:
                write_content(descriptor, member, self._pace)
                finish()
            finally:
                os.close(descriptor)
        self._pace.file()

    def _hardlink(self, member: Member, path: bytes) -> None:
        """Only to a file of this archive: no symlink exists yet that could be meant instead."""
        target = membernames.inside(member.link, self._limits)
        if not target or membernames.is_reserved(target):
            raise hostile(f"{shown(path)} is a hard link to nothing in the archive")
        parent, _, name = path.rpartition(b"/")
        target_parent, _, target_name = target.rpartition(b"/")
        source = os.dup(self._beneath.existing(target_parent))
        try:
            if not stat.S_ISREG(os.stat(target_name, dir_fd=source, follow_symlinks=False).st_mode):
                raise hostile(f"{shown(path)} is a hard link to something that is no file")
            folder = self._beneath.folder(parent)
            os.link(target_name, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(source)
        self._pace.file()

    def _folder(self, member: Member, path: bytes) -> None:
        if path in self._folders:
            raise hostile(f"{shown(path)} is in the archive twice")
        self._defer(len(path))
        self._folders[path] = _attributes(member)

    def _symlink(self, member: Member, path: bytes) -> None:
        self._defer(len(path) + len(member.link))
        self._links.append((path, member.link, _attributes(member)))

    def _link(self, path: bytes, target: bytes, wanted: Attributes | None) -> None:
        """Make the symlink, or leave it out (`wanted` None); its place must be free either way."""
        parent, _, name = path.rpartition(b"/")
        with Placing(path):
            folder = self._beneath.folder(parent)
            os.symlink(target, name, dir_fd=folder)
            if wanted is None:
                os.unlink(name, dir_fd=folder)
        if wanted is None:
            message = f"a link out of the data folder, to {shown(target)}"
            self._skip("LINK_OUTSIDE", path, message)
            return
        self._setter.link(folder, name, path, wanted)
        self._pace.file()

    def _fifo(self, _member: Member, path: bytes) -> None:
        self._skip("SPECIAL_FILE", path, "a pipe, left out")

    def _skip(self, code: str, path: bytes, message: str) -> None:
        self._skipped += 1
        self._warner.warn(code, path, message)

    def _skip_reserved(self, path: bytes) -> None:
        """Tarkeep's own journals and safety copies, which a foreign tool may have packed."""
        self._skipped += 1
        self._warner.once("RESERVED_NAME", path, "working files of Tarkeep's are left out")

    def _defer(self, size: int) -> None:
        """Bound the memory of what has to wait for the end."""
        self._deferred += size + _RECORD_COST
        if self._deferred > self._limits.deferred:
            raise hostile("it holds too many folders and links to keep in mind")


def _attributes(member: Member) -> Attributes:
    return Attributes(member.mode, member.uid, member.gid, member.mtime, member.xattrs)
