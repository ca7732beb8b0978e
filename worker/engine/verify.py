"""Read a whole backup back without writing anything: every byte, seal, header and name."""

from __future__ import annotations

from dataclasses import dataclass

from worker.engine.archive.reader import open_archive
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig
from worker.engine.extract.blocks import Readable
from worker.engine.extract.limits import Limits
from worker.engine.extract.membernames import inside
from worker.engine.extract.pace import Pace
from worker.engine.extract.refusals import damaged, hostile, shown
from worker.engine.extract.tarheader import CHARACTER, DEVICE, DIRECTORY, FILE
from worker.engine.extract.tarread import Member, read_members
from worker.engine.progress import Progress
from worker.engine.storage import Storage

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class VerifyResult:
    """What was read. `bytes` is the content of regular files, `links` hard and symbolic ones."""

    key: str
    files: int
    folders: int
    links: int
    bytes: int


def run_verify(plan: PlanConfig, storage: Storage, progress: Progress, *, key: str) -> VerifyResult:
    """Read the backup `key` (or `latest`) to its end.

    Raises `ArchiveError` for whatever would keep it from being restored, `StorageError`,
    `JobStopped`.
    """
    progress.phase("preparing")
    backup = find_backup(storage, plan, key)
    if backup.metadata is not None:
        known = backup.metadata
        progress.totals(files=known.file_count or 0, bytes=known.data_size or 0)
    progress.phase("reading")
    with open_archive(storage, plan, backup, progress) as stream:
        return survey(stream, progress, backup.key)


def survey(
    stream: Readable, progress: Progress, key: str, limits: Limits | None = None
) -> VerifyResult:
    """Read a tar stream to its end by the rules of a restore."""
    bounds = limits or Limits()
    pace, folders, links = Pace(progress), 0, 0
    for member in read_members(stream, bounds):
        _check(member, bounds)
        if member.kind == FILE:
            _read(member, pace)
            pace.file()
        folders += member.kind == DIRECTORY
        links += member.kind not in (FILE, DIRECTORY)
    if not pace.files + folders + links:
        raise damaged("it holds no data folder")
    pace.flush()
    return VerifyResult(key, pace.files, folders, links, pace.bytes)


def _check(member: Member, limits: Limits) -> None:
    if inside(member.path, limits) == b"" and member.kind != DIRECTORY:
        raise hostile("data is not a folder")
    if member.kind in (CHARACTER, DEVICE):
        raise hostile(f"{shown(member.path)} is a device")


def _read(member: Member, pace: Pace) -> None:
    while piece := member.read(_CHUNK):
        pace.content(len(piece))
