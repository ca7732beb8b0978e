"""Get one file or folder out of a backup without restoring the rest.

By the index that is one request for a small file, and the segments of what was asked for else;
without an index the archive is read through. Nothing appears at its target before all of it
was checked.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from worker.engine.archive.choice import Choice
from worker.engine.archive.index_reader import path_not_found
from worker.engine.archive.members import ByIndex, Members, Through, open_members
from worker.engine.archive.reader import ArchiveStream
from worker.engine.archive.retar import Retar, content
from worker.engine.catalogue import BackupInfo
from worker.engine.config import PlanConfig
from worker.engine.crashpoints import crashpoint
from worker.engine.errors import ArchiveError, TargetError
from worker.engine.extract.extract import ExtractResult, Room, extract
from worker.engine.extract.limits import Limits
from worker.engine.extract.membernames import TOP, inside
from worker.engine.extract.refusals import damaged, hostile, shown
from worker.engine.extract.target_errors import as_target_error
from worker.engine.extract.tarheader import DIRECTORY, FILE, HARDLINK
from worker.engine.extract.tarread import Member
from worker.engine.progress import Progress
from worker.engine.room import free_space, keep, room_for_part
from worker.engine.scratch import GET, scratch
from worker.engine.storage import Storage
from worker.engine.swap.journal import sync_folder

_CHUNK = 1024 * 1024
_FOLDER_MODE = 0o755  # of a folder that its archive has no record of
_SKIPPED = "pipes, and links out of a folder made elsewhere, are not restored"


@dataclass(frozen=True)
class OpenedFile:
    """One file of a backup. `size` in bytes is exactly what `chunks` give together."""

    path: bytes
    size: int
    mode: int
    mtime_ns: int
    chunks: Iterator[bytes]


@contextmanager
def open_file(
    storage: Storage,
    plan: PlanConfig,
    backup: BackupInfo,
    path: bytes,
    progress: Progress,
    *,
    cache_dir: Path | None = None,
) -> Iterator[OpenedFile]:
    """The file at `path`, to be streamed while the block lasts; hard links give their content.

    Raises `ArchiveError`: PATH_NOT_FOUND, NOT_A_FILE, and what is wrong with the archive.
    """
    with open_members(storage, plan, backup, progress, cache_dir) as members:
        if isinstance(members, ByIndex):
            yield _opened(path, _by_index(members, path))
        else:
            with _spool(plan) as file:
                yield _read_through(members, path, file, free_space(plan.temp_dir))


def save(
    storage: Storage,
    plan: PlanConfig,
    backup: BackupInfo,
    path: bytes,
    target: Path,
    progress: Progress,
    *,
    cache_dir: Path | None = None,
) -> ExtractResult:
    """Write the file, link or folder at `path` as `target`, which must not be there yet.

    Unpacked beside it by the rules of a restore, then moved into its place. Raises
    `ArchiveError`, `TargetError` (TARGET_EXISTS), `StorageError`, `JobStopped`.
    """
    with as_target_error("saving from the backup"):
        if os.path.lexists(target):
            raise _exists(target)
        with scratch(target.absolute().parent, progress, prefix=GET) as staging:
            with open_members(storage, plan, backup, progress, cache_dir) as members:
                part = Retar(members, path)
                result = _unpack(part, staging, backup, progress, _room(members, path, staging))
            if part.kind == DIRECTORY and not result.root_recorded:
                staging.chmod(_FOLDER_MODE)
            crashpoint("get.fetched")
            _move(staging, part, path, target)
            return result


@contextmanager
def open_tar(
    storage: Storage,
    plan: PlanConfig,
    backup: BackupInfo,
    path: bytes,
    progress: Progress,
    *,
    cache_dir: Path | None = None,
) -> Iterator[Iterator[bytes]]:
    """What lies at `path` as a tar stream with the top folder `data/`, for a download.

    Without an index all of it goes through a temporary file first: an archive that is read
    through may only be believed at its end.
    """
    with open_members(storage, plan, backup, progress, cache_dir) as members:
        pieces = Retar(members, path).pieces()
        if isinstance(members, ByIndex):
            yield pieces
        else:
            with _spool(plan) as file:
                with as_target_error("keeping what was read from the backup"):
                    keep(file, pieces, free_space(plan.temp_dir))
                yield _rewound(file)


def _room(members: ByIndex | Through, path: bytes, staging: Path) -> Room:
    """TARGET_NO_SPACE where it is known that there is too little."""
    if isinstance(members, ByIndex):
        needed = members.measure(Choice(entries=[path]))
        return room_for_part(staging, needed.entries, needed.bytes)
    return Room(members.limits, free_space(staging))


def _unpack(
    part: Retar, staging: Path, backup: BackupInfo, progress: Progress, room: Room
) -> ExtractResult:
    ours = backup.metadata is not None  # as in a restore: what was saved comes back
    stream = ArchiveStream(part.pieces(), progress)
    owner = os.geteuid() == 0
    try:
        return extract(
            stream, staging, progress, room=room, owner=owner, outside_link=lambda *_: ours
        )
    finally:
        stream.close()


def _move(staging: Path, part: Retar, path: bytes, target: Path) -> None:
    """A folder's content is the staging folder itself, anything else lies in it."""
    made = staging
    if part.kind != DIRECTORY:
        made = staging / os.fsdecode(path.rpartition(b"/")[2])
    if not os.path.lexists(made):
        raise ArchiveError(f"{shown(path)} was left out: {_SKIPPED}", code="NOT_A_FILE")
    if os.path.lexists(target):
        raise _exists(target)
    made.rename(target)
    sync_folder(target.absolute().parent)


def _by_index(members: ByIndex, path: bytes) -> Member:
    member = members.one(path)
    if member.kind == HARDLINK:
        member = members.one(_meant(member))
        if member.kind != FILE:
            raise damaged(f"{shown(path)} is a hard link to something that is no file")
    return member


def _meant(link: Member) -> bytes:
    target = inside(link.link, Limits())
    if not target:
        raise hostile(f"{shown(link.path)} is a hard link to nothing in the archive")
    return target


def _opened(path: bytes, member: Member, chunks: Iterator[bytes] | None = None) -> OpenedFile:
    if member.kind != FILE:
        raise _no_file(path, member)
    return OpenedFile(
        path, member.size, member.mode, member.mtime, content(member) if chunks is None else chunks
    )


def _read_through(members: Members, path: bytes, file: IO[bytes], free: int) -> OpenedFile:
    with as_target_error("keeping what was read from the backup"):
        member = _copy(members, path, file, free)
        if member.kind == HARDLINK:
            member = _copy(members, _meant(member), file, free)
    return _opened(path, member, _rewound(file))


def _copy(members: Members, path: bytes, file: IO[bytes], free: int) -> Member:
    """The member at `path`, its content in `file`."""
    found: Member | None = None
    for _, member in members.at({path}):
        if found is not None:
            raise hostile(f"{shown(path)} is in the archive twice")
        found = member
        if member.kind == FILE:
            keep(file, content(member), free)
    if found is None:
        raise path_not_found(path)
    return found


@contextmanager
def _spool(plan: PlanConfig) -> Iterator[IO[bytes]]:
    """A temporary file without a name, for what may only be believed at the archive's end."""
    with ExitStack() as stack:
        with as_target_error("making a temporary file"):
            plan.temp_dir.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(tempfile.TemporaryFile(dir=plan.temp_dir))
        yield file


def _rewound(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK):
        yield chunk


def _no_file(path: bytes, member: Member) -> ArchiveError:
    what = "folder" if member.kind == DIRECTORY else "link or special file"
    return ArchiveError(
        f"{shown(path or TOP)} is a {what} in the backup, no file.",
        code="NOT_A_FILE",
        hint="Save it into a folder instead.",
    )


def _exists(target: Path) -> TargetError:
    return TargetError(
        f"There is something at {target} already.",
        code="TARGET_EXISTS",
        hint="Nothing was changed. Choose another place, or move it away.",
    )
