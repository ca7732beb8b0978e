"""Read a whole backup back: every byte, seal, header, name and database, and its index.

Nothing is written but, one at a time, copies of the databases for SQLite to check, below the
temporary folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from worker.engine import metadata as metadata_file
from worker.engine.archive.index_reader import IndexReader, open_index
from worker.engine.archive.key_check import check_key_fits
from worker.engine.archive.reader import open_archive
from worker.engine.capture.workspace import workspace
from worker.engine.catalogue import BackupInfo, find_backup
from worker.engine.config import PlanConfig
from worker.engine.damage import marking
from worker.engine.databases import CAPTURED, Databases
from worker.engine.errors import ArchiveError, KeyMismatch
from worker.engine.extract.blocks import Readable
from worker.engine.extract.limits import Limits
from worker.engine.extract.membernames import inside
from worker.engine.extract.pace import Pace
from worker.engine.extract.refusals import damaged, hostile, shown
from worker.engine.extract.tarheader import CHARACTER, DEVICE, DIRECTORY, FILE
from worker.engine.extract.tarread import Member, read_members
from worker.engine.index_match import IndexMatch
from worker.engine.naming import metadata_key
from worker.engine.progress import Progress
from worker.engine.room import limits_of
from worker.engine.storage import NotFound, Storage

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class VerifyResult:
    """What was read. `bytes` is the content of regular files, `links` hard and symbolic ones,
    `size` the archive in the bucket (bytes). `segments` and `databases` were checked; SQLite
    could not be asked about `unchecked` databases. `indexed`: there is an index, and it fits.
    """

    key: str
    files: int
    folders: int
    links: int
    bytes: int
    size: int = 0
    segments: int = 0
    databases: int = 0
    unchecked: int = 0
    indexed: bool = False


@dataclass
class Watchers:
    """Who else looks at what is read: each may be None."""

    match: IndexMatch | None = None
    databases: Databases | None = None


def run_verify(plan: PlanConfig, storage: Storage, progress: Progress, *, key: str) -> VerifyResult:
    """Read the backup `key` (or `latest`) to its end.

    Raises `ArchiveError` for whatever would keep it from being restored or its index from being
    used, `StorageError`, `TargetError` (no temporary folder), `JobStopped`.
    """
    progress.phase("preparing")
    backup = find_backup(storage, plan, key)
    with marking(storage, backup.key, proves=True):
        return _verify(plan, storage, progress, backup)


def _verify(
    plan: PlanConfig, storage: Storage, progress: Progress, backup: BackupInfo
) -> VerifyResult:
    check_metadata(storage, backup)
    check_key_fits(storage, plan, backup)
    if backup.metadata is not None:
        known = backup.metadata
        progress.totals(files=known.file_count or 0, bytes=known.data_size or 0)
    with workspace(plan.temp_dir) as work, index_of(storage, plan, backup, work) as (index, fault):
        progress.phase("reading")
        watchers = Watchers(
            IndexMatch(index) if index else None, Databases(work, progress, was_whole(index))
        )
        result = _read_all(plan, storage, progress, backup, watchers)
    if fault is not None:
        raise _archive_is_whole(fault)
    return result


def check_metadata(storage: Storage, backup: BackupInfo) -> None:
    """Raises `ArchiveError`: METADATA_INVALID, or ARCHIVE_SIZE if the archive has another size."""
    if backup.metadata is None:
        _read_metadata(storage, backup.key)
    elif backup.metadata.size != backup.size:
        raise ArchiveError(
            f"The archive has {backup.size} bytes; its metadata says {backup.metadata.size}.",
            code="ARCHIVE_SIZE",
            hint="It was cut off or replaced in the bucket. Restore another backup.",
        )


@contextmanager
def index_of(
    storage: Storage, plan: PlanConfig, backup: BackupInfo, work: Path
) -> Iterator[tuple[IndexReader | None, ArchiveError | None]]:
    """The index as it lies in the bucket now, not as some cache has it; or what is wrong with it.

    Neither where the backup never had one. Raises `KeyMismatch`.
    """
    index, fault = None, None
    with ExitStack() as stack:
        try:
            index = stack.enter_context(open_index(storage, plan, backup, work / "index"))
        except KeyMismatch:
            raise
        except ArchiveError as error:
            fault = error if error.code != "INDEX_MISSING" or _has_index(backup) else None
        yield index, fault


def was_whole(index: IndexReader | None) -> Callable[[bytes], bool]:
    """Whether the index says of a path that it is a database SQLite found whole."""

    def told(path: bytes) -> bool:
        entry = index.find(path) if index else None
        return entry is not None and entry.note == CAPTURED

    return told


def survey(
    stream: Readable,
    progress: Progress,
    key: str,
    limits: Limits | None = None,
    watchers: Watchers | None = None,
) -> VerifyResult:
    """Read a tar stream to its end by the rules of a restore."""
    bounds, seen = limits or Limits(), watchers or Watchers()
    pace, folders, links = Pace(progress), 0, 0
    for member in read_members(stream, bounds):
        path = _checked_path(member, bounds)
        if seen.match is not None and path is not None:
            seen.match.saw(path, member)
        if member.kind == FILE:
            _read(member, path or b"", pace, seen.databases)
            pace.file()
        folders += member.kind == DIRECTORY
        links += member.kind not in (FILE, DIRECTORY)
    if not pace.files + folders + links:
        raise damaged("it holds no data folder")
    pace.flush()
    return VerifyResult(key, pace.files, folders, links, pace.bytes)


def _read_all(
    plan: PlanConfig, storage: Storage, progress: Progress, backup: BackupInfo, watchers: Watchers
) -> VerifyResult:
    match, databases = watchers.match, watchers.databases
    assert databases is not None
    observe = match.saw_bytes if match else lambda _: None
    with open_archive(storage, plan, backup, progress, observe=observe) as stream:
        read = survey(stream, progress, backup.key, limits_of(backup), watchers)
    if match is not None:
        try:
            match.demand()
        except ArchiveError as error:
            raise _archive_is_whole(error) from None
    databases.demand()
    return replace(
        read,
        size=backup.size,
        segments=match.segments if match else 0,
        databases=databases.checked,
        unchecked=databases.unchecked,
        indexed=match is not None,
    )


def _checked_path(member: Member, limits: Limits) -> bytes | None:
    path = inside(member.path, limits)
    if path == b"" and member.kind != DIRECTORY:
        raise hostile("data is not a folder")
    if member.kind in (CHARACTER, DEVICE):
        raise hostile(f"{shown(member.path)} is a device")
    return path


def _read(member: Member, path: bytes, pace: Pace, databases: Databases | None) -> None:
    piece = member.read(_CHUNK)
    holes = member.extents is not None
    spool = databases.spool(path, member.size, piece, holes=holes) if databases else None
    while piece:
        if spool is not None:
            spool.write(piece)
        pace.content(len(piece))
        piece = member.read(_CHUNK)
    if spool is not None:
        spool.finish()


def _read_metadata(storage: Storage, key: str) -> None:
    """Say what is wrong with metadata that could not be used; none at all is no damage."""
    try:
        raw = storage.get_bytes(metadata_key(key), limit=metadata_file.MAX_SIZE)
    except NotFound:
        return
    metadata_file.load(raw, key)


def _has_index(backup: BackupInfo) -> bool:
    return bool(backup.metadata and backup.metadata.index_checksum)


def _archive_is_whole(fault: ArchiveError) -> ArchiveError:
    hint = "The archive itself was read and is whole: it can be restored. Make a new backup."
    return ArchiveError(fault.message, code=fault.code, hint=hint)
