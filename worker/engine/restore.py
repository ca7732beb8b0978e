"""The story of a restore: unpack and verify beside the live folder, then swap the two.

The application runs on while the backup is fetched; it is stopped for the swap alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from worker.engine.archive.reader import open_archive
from worker.engine.catalogue import BackupInfo, find_backup
from worker.engine.config import PlanConfig
from worker.engine.crashpoints import crashpoint
from worker.engine.damage import marking
from worker.engine.extract.extract import ExtractResult, Room
from worker.engine.extract.outside_links import OutsideLinks
from worker.engine.extract.target_errors import as_target_error
from worker.engine.extract.unpack import unpack
from worker.engine.progress import Counting, Progress, SourceWarning
from worker.engine.replacing import Replaced, put_in_place
from worker.engine.room import naming_copies, room_for_all
from worker.engine.safety_backup import save_live
from worker.engine.storage import Storage
from worker.engine.swap.lock import held, not_while_backed_up
from worker.engine.swap.rights import check_rights
from worker.engine.swap.site import look
from worker.engine.swap.staging import look_like, staging
from worker.engine.swap.swap import finish_interrupted


@dataclass(frozen=True)
class RestoreResult:
    """What was restored. `bytes` is the content of regular files.

    `safety_copy` is where the replaced folder lies now; None when there was none or it was
    empty. `mode` is how the swap was done: new, exchange, rename or entries. `downtime`: seconds
    that instances were stopped, 0 when none was. `safety_backup`: the backup of what was there,
    where one was asked for.
    """

    key: str
    files: int
    bytes: int
    safety_copy: Path | None
    warnings: int
    mode: str
    downtime: float = 0.0
    safety_backup: str | None = None


def run_restore(
    plan: PlanConfig, storage: Storage, progress: Progress, *, key: str, now: datetime
) -> RestoreResult:
    """Restore the backup `key` (or `latest`) over the plan's data folder.

    Raises `ArchiveError`, `StorageError`, `TargetError`, `InstanceError` or `JobStopped`; the
    live folder is then what it was before (`put_in_place` tells the one exception).
    """
    progress.phase("preparing")
    backup = find_backup(storage, plan, key)
    with as_target_error("preparing the restore"):
        finish_interrupted(plan.data_dir)
        site = look(plan.data_dir)
        check_rights(site, progress)
    saved = save_live(plan, storage, progress, restoring=backup, now=now)
    with held(site.lock), not_while_backed_up(site.live), naming_copies(plan.data_dir):
        room = room_for_all(site.workplace, backup)
        with staging(site, progress) as staged:
            progress.phase("fetching")
            counted = Counting(progress)
            with marking(storage, backup.key, proves=False):
                result = _fetch(plan, storage, counted, backup, site.live, staged, room)
            rejected = site.failed_copy(now)
            done = put_in_place(plan, site, staged, counted, now=now, rejected=rejected)
            return restore_result(backup.key, result, done, counted.count, saved)


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
        _tell_of_gaps(known.warning_count or 0, progress)
    with open_archive(storage, plan, backup, progress, whole=False) as stream:
        result = unpack(
            stream,
            staged,
            progress,
            size=backup.size,
            room=room,
            links=link_rule(backup, live),
            owner=os.geteuid() == 0,
            setuid=plan.restore.keep_setuid,
        )
    if not result.root_recorded:
        look_like(live, staged)
    crashpoint("restore.fetched")
    return result


def _tell_of_gaps(warnings: int, progress: Progress) -> None:
    """What the backup could not save is not carried over: it may have been anything."""
    if warnings:
        message = (
            f"it was made with {warnings} warnings, so it may lack files; what the data folder has"
            " of them now goes into the safety copy"
        )
        progress.warn(SourceWarning("BACKUP_HAD_WARNINGS", "", message))


def restore_result(
    key: str, unpacked: ExtractResult, done: Replaced, warnings: int, saved: str | None
) -> RestoreResult:
    return RestoreResult(
        key=key,
        files=unpacked.files,
        bytes=unpacked.bytes,
        safety_copy=done.safety_copy,
        warnings=warnings,
        mode=done.mode,
        downtime=done.downtime,
        safety_backup=saved,
    )


def link_rule(backup: BackupInfo, live: Path) -> OutsideLinks:
    """Which symlinks that lead out of the data folder come back.

    All of a backup of ours, wherever it is restored: what was saved comes back, and a link is
    only a name, never followed here. Of an archive made elsewhere, those that the live folder
    already has: a stranger's file brings in no new way out.
    """
    return OutsideLinks(every=backup.metadata is not None, as_in=live)
