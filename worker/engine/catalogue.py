"""What backups there are: the bucket itself is the catalogue.

A backup exists when its metadata and its archive do. An archive without metadata is one that
never got finished, or one that somebody put there by hand: it is not listed, but it can be
asked for by its key. Objects whose names are not exactly ours are not looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from worker.engine import metadata as metadata_file
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.metadata import Metadata
from worker.engine.naming import (
    INDEX_SUFFIX,
    check_key,
    index_key,
    mark_keys,
    metadata_key,
    parse_key,
)
from worker.engine.storage import NotFound, Storage, StoredObject, TooLarge

LATEST = "latest"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BackupInfo:
    """One backup. `created` is in its name, `modified` and `size` (bytes) are the archive's.

    `metadata` is None where it was not asked for, is missing, or cannot be used.
    `pinned`, `confirmed` (that it is so small) and `damaged` (that a reading found it so) are known
    of listed ones only.
    """

    key: str
    created: datetime
    modified: datetime
    size: int
    metadata: Metadata | None = None
    pinned: bool = False
    confirmed: bool = False
    damaged: bool = False


def list_backups(
    storage: Storage, plan: PlanConfig, *, with_metadata: bool = True, workers: int = 8
) -> list[BackupInfo]:
    """All backups, newest first. Metadata is read with `workers` threads.

    Damaged metadata leaves the backup in the list. `StorageError` when the bucket fails us.
    """
    objects = _objects(storage, plan)
    infos = [
        _marked(info, objects)
        for found in objects.values()
        if (info := _info(plan, found)) and metadata_key(info.key) in objects
    ]
    if with_metadata:
        with ThreadPoolExecutor(workers) as pool:
            infos = [info for info in pool.map(partial(_read_metadata, storage), infos) if info]
    return sorted(infos, key=lambda info: info.created, reverse=True)


def find_backup(storage: Storage, plan: PlanConfig, key_or_latest: str) -> BackupInfo:
    """The backup under a key, or the newest one, with its metadata.

    `ArchiveError`: KEY_MALFORMED, BACKUP_NOT_FOUND. Archives without metadata are found too.
    """
    if key_or_latest == LATEST:
        return _with_metadata(storage, _latest(storage, plan))
    key = check_key(plan, key_or_latest)
    try:
        info = _info(plan, storage.head(key))
    except NotFound as error:
        raise _not_found(f"There is no backup {key!r}") from error
    assert info  # check_key has parsed this key
    return _read_metadata(storage, info) or info


def check_name(backup: BackupInfo) -> None:
    """`ArchiveError` (FRAME_FOREIGN) when the metadata is that of a backup of another time.

    Somebody copied it under this name. A plain archive has nothing else to tell that by.
    """
    made = backup.metadata
    if made is None or made.format_version is None:
        return  # made by hand, or by the original system
    if datetime.fromisoformat(made.timestamp) != backup.created:
        raise ArchiveError(
            f"This is the backup of {made.timestamp} under another name",
            code="FRAME_FOREIGN",
            hint="It was copied or renamed in the bucket. Restore it under its own name.",
        )


def find_at(storage: Storage, plan: PlanConfig, at: datetime) -> BackupInfo:
    """The newest backup made at that (aware) time or before. `ArchiveError` (BACKUP_NOT_FOUND)."""
    backups = list_backups(storage, plan, with_metadata=False)
    found = next((backup for backup in backups if backup.created <= at), None)
    if found is None:
        oldest = f"; the oldest is of {backups[-1].created.isoformat()}" if backups else ""
        raise _not_found(f"There is no backup of {at.isoformat()} or before{oldest}")
    return _with_metadata(storage, found)


def incomplete(storage: Storage, plan: PlanConfig) -> list[StoredObject]:
    """Archives and indexes of ours without metadata: begun or half deleted, or put by hand."""
    objects = _objects(storage, plan)
    archives = [key.removesuffix(INDEX_SUFFIX) for key in objects if key.endswith(INDEX_SUFFIX)]
    ours = {key for key in (*objects, *archives) if parse_key(plan, key)}
    without = sorted(key for key in ours if metadata_key(key) not in objects)
    names = [name for key in without for name in (key, index_key(key))]
    return [objects[name] for name in names if name in objects]


def _objects(storage: Storage, plan: PlanConfig) -> dict[str, StoredObject]:
    """By key, once each: some servers repeat a key where two pages meet."""
    return {found.key: found for found in storage.list(f"{plan.prefix}{plan.name}-")}


def _info(plan: PlanConfig, found: StoredObject) -> BackupInfo | None:
    created = parse_key(plan, found.key)
    return BackupInfo(found.key, created, found.modified, found.size) if created else None


def _marked(info: BackupInfo, objects: Container[str]) -> BackupInfo:
    pinned, confirmed, damaged = (name in objects for name in mark_keys(info.key))
    return replace(info, pinned=pinned, confirmed=confirmed, damaged=damaged)


def _read_metadata(storage: Storage, info: BackupInfo) -> BackupInfo | None:
    """The same backup with its metadata; None when there is none (any more)."""
    try:
        raw = storage.get_bytes(metadata_key(info.key), limit=metadata_file.MAX_SIZE)
        return replace(info, metadata=metadata_file.load(raw, info.key))
    except NotFound:
        return None
    except (ArchiveError, TooLarge) as error:
        log.warning("%s", error.message)
        return info


def _latest(storage: Storage, plan: PlanConfig) -> BackupInfo:
    backups = list_backups(storage, plan, with_metadata=False)
    if not backups:
        raise _not_found("There is no backup yet")
    return backups[0]


def _with_metadata(storage: Storage, listed: BackupInfo) -> BackupInfo:
    """The list has told what a HEAD would, and that there was metadata a moment ago."""
    found = _read_metadata(storage, listed)
    if found is None:
        raise _not_found(f"The backup {listed.key!r} was deleted just now")
    return found


def _not_found(message: str) -> ArchiveError:
    hint = "Look at the list of backups, and check the bucket and BACKUP_PREFIX."
    return ArchiveError(message, hint=hint, code="BACKUP_NOT_FOUND")
