"""The story of a restore: unpack and verify beside the live folder, then swap the two."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from worker.engine.archive.reader import open_archive
from worker.engine.catalogue import BackupInfo, find_backup
from worker.engine.config import PlanConfig
from worker.engine.crashpoints import crashpoint
from worker.engine.extract.extract import ExtractResult, LinkRule, Room, extract
from worker.engine.extract.target_errors import as_target_error
from worker.engine.progress import Progress
from worker.engine.storage import Storage
from worker.engine.swap.lock import held
from worker.engine.swap.preflight import check_room
from worker.engine.swap.site import NEW, Site, look
from worker.engine.swap.staging import look_like, staging
from worker.engine.swap.swap import finish_interrupted, swap


@dataclass(frozen=True)
class RestoreResult:
    """What was restored. `bytes` is the content of regular files.

    `safety_copy` is where the replaced folder lies now; None when there was none or it was
    empty. `mode` is how the swap was done: new, exchange, rename or entries.
    """

    key: str
    files: int
    bytes: int
    safety_copy: Path | None
    warnings: int
    mode: str


def run_restore(
    plan: PlanConfig, storage: Storage, progress: Progress, *, key: str, now: datetime
) -> RestoreResult:
    """Restore the backup `key` (or `latest`) over the plan's data folder.

    Raises `ArchiveError`, `StorageError`, `TargetError` or `JobStopped`; the live folder is
    then what it was before.
    """
    progress.phase("preparing")
    backup = find_backup(storage, plan, key)
    with as_target_error("preparing the restore"):
        finish_interrupted(plan.data_dir)
        site = look(plan.data_dir)
    with held(site.lock):
        room = check_room(site.workplace, backup)
        with staging(site, progress) as staged:
            progress.phase("fetching")
            result = _fetch(plan, storage, progress, backup, site.live, staged, room)
            progress.phase("swapping")
            return _swap_in(site, staged, progress, result, backup.key, now)


def _fetch(
    plan: PlanConfig,
    storage: Storage,
    progress: Progress,
    backup: BackupInfo,
    live: Path,
    staged: Path,
    room: Room,
) -> ExtractResult:
    """Unpack into `staged`. Having come to the archive's end, all of it is authentic."""
    if backup.metadata is not None:
        known = backup.metadata
        progress.totals(files=known.file_count or 0, bytes=known.data_size or 0)
    with open_archive(storage, plan, backup, progress) as stream:
        rule = link_rule(backup, live)
        owner = os.geteuid() == 0
        result = extract(stream, staged, progress, room=room, owner=owner, outside_link=rule)
    if not result.root_recorded:
        look_like(live, staged)
    crashpoint("restore.fetched")
    return result


def _swap_in(
    site: Site,
    staged: Path,
    progress: Progress,
    result: ExtractResult,
    key: str,
    now: datetime,
) -> RestoreResult:
    safety = site.safety_copy(now)
    progress.record(
        "swap", live=str(site.live), staged=str(staged), safety=str(safety), mode=site.mode
    )
    progress.commit("swap")
    crashpoint("restore.committed")
    mode = swap(site, staged, safety)
    progress.phase("finishing")
    kept = safety if mode != NEW and not _removed_empty(safety) else None
    return RestoreResult(key, result.files, result.bytes, kept, result.warnings, mode)


def link_rule(backup: BackupInfo, live: Path) -> LinkRule:
    """Which symlinks that lead out of the data folder come back.

    All of a backup of ours, wherever it is restored: what was saved comes back, and a link is
    only a name, never followed here. Of an archive made elsewhere, those that the live folder
    already has: a stranger's file brings in no new way out.
    """
    ours = backup.metadata is not None

    def allowed(path: bytes, target: bytes) -> bool:
        with contextlib.suppress(OSError):
            return ours or os.fsencode(Path(live, os.fsdecode(path)).readlink()) == target
        return False

    return allowed


def _removed_empty(safety: Path) -> bool:
    """Keep no copy of an empty folder."""
    with contextlib.suppress(OSError):
        safety.rmdir()
        return True
    return False
