"""The story of a drill: restore into a scratch folder, and prove that what came back is right.

Nothing outside of the scratch folder is changed. What is proven: the backup unpacks to its end,
every entry is as the index says, SQLite finds the databases whole, and the user's own command,
where there is one, is content.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from worker.engine.archive.index_reader import IndexReader
from worker.engine.archive.key_check import check_key_fits
from worker.engine.archive.reader import open_archive
from worker.engine.capture.source import SQLITE_MAGIC
from worker.engine.catalogue import BackupInfo, find_backup
from worker.engine.config import PlanConfig
from worker.engine.damage import marking
from worker.engine.databases import Databases
from worker.engine.drill_compare import compare
from worker.engine.errors import HookError
from worker.engine.extract.extract import ExtractResult
from worker.engine.extract.outside_links import OutsideLinks
from worker.engine.extract.target_errors import as_target_error
from worker.engine.extract.unpack import unpack
from worker.engine.instances.process import NotRun, run
from worker.engine.progress import Progress, SourceWarning
from worker.engine.room import room_for_all
from worker.engine.scratch import scratch
from worker.engine.storage import Storage
from worker.engine.swap.entry import Entries
from worker.engine.swap.tree import walk
from worker.engine.verify import check_metadata, index_of, was_whole

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DrillResult:
    """The proof. `bytes` is the content of regular files, `seconds` all of it took.

    `compared`: every entry was held against the index. `databases` were checked by SQLite.
    `command`: whether the user's own command was run, and was content.
    """

    key: str
    files: int
    bytes: int
    seconds: float
    bytes_per_second: int
    compared: bool
    databases: int
    command: bool
    warnings: int


def run_drill(
    plan: PlanConfig, storage: Storage, progress: Progress, *, key: str, job_id: str = ""
) -> DrillResult:
    """Try the backup `key` (or `latest`) out.

    Raises `ArchiveError` for a backup that would not come back right, `HookError`
    (DRILL_COMMAND_FAILED), `TargetError` (no room), `StorageError`, `JobStopped`.
    """
    started = time.monotonic()
    progress.phase("preparing")
    backup = find_backup(storage, plan, key)
    with (
        marking(storage, backup.key, proves=True),
        scratch(plan.drill.folder or plan.temp_dir, progress) as folder,
    ):
        check_metadata(storage, backup)
        check_key_fits(storage, plan, backup)
        with index_of(storage, plan, backup, folder) as (index, fault):
            if fault is not None:
                raise fault
            restored = _restore(plan, storage, progress, backup, folder)
            with as_target_error("comparing what was restored"):
                databases = _check(progress, index, folder)
        progress.phase("command")
        command = _command(plan, progress, folder / "data", backup.key, job_id)
    seconds = time.monotonic() - started
    return DrillResult(
        key=backup.key,
        files=restored.files,
        bytes=restored.bytes,
        seconds=round(seconds, 3),
        bytes_per_second=int(restored.bytes / max(seconds, 0.001)),
        compared=index is not None,
        databases=databases,
        command=command,
        warnings=restored.warnings,
    )


def _restore(
    plan: PlanConfig, storage: Storage, progress: Progress, backup: BackupInfo, folder: Path
) -> ExtractResult:
    """As a restore does it, with links as they were saved: nobody follows them here."""
    room = room_for_all(folder, backup)
    target = folder / "data"
    target.mkdir(mode=0o700)
    if backup.metadata is not None:
        known = backup.metadata
        progress.totals(files=known.file_count or 0, bytes=known.data_size or 0)
    progress.phase("restoring")
    ours, owner = backup.metadata is not None, os.geteuid() == 0
    with open_archive(storage, plan, backup, progress) as stream:
        return unpack(
            stream,
            target,
            progress,
            size=backup.size,
            room=room,
            links=OutsideLinks(every=ours),
            owner=owner,
            durable=False,
        )


def _check(progress: Progress, index: IndexReader | None, folder: Path) -> int:
    """Against the index, and by SQLite; how many databases that were."""
    progress.phase("comparing")
    if index is None:
        message = "the backup has no index: only that it unpacks was proven"
        progress.warn(SourceWarning("DRILL_NOT_COMPARED", "", message))
    else:
        compare(index, folder / "data", progress)
    databases = Databases(folder, progress, was_whole(index))
    with closing(Entries(folder / "data")) as restored:
        for path, info in walk(restored):
            if stat.S_ISREG(info.st_mode) and _is_database(restored, path):
                with restored.named(path, folder / "database") as file:
                    databases.check(path, file)
            progress.checkpoint()
    databases.demand()
    return databases.checked


def _is_database(restored: Entries, path: bytes) -> bool:
    """By its first bytes; a file that we may not read ourselves is none."""
    with suppress(PermissionError):
        return restored.begins_with(path, SQLITE_MAGIC)
    return False


def _command(plan: PlanConfig, progress: Progress, folder: Path, key: str, job_id: str) -> bool:
    """Run the user's own check in the restored folder; False where there is none."""
    drill = plan.drill
    if not drill.command:
        return False
    told = {
        "TARKEEP_DRILL_DIR": str(folder),
        "TARKEEP_BACKUP_KEY": key,
        "TARKEEP_JOB_ID": job_id,
    }

    def pulse() -> None:
        progress.advance()
        progress.checkpoint()

    try:
        code = run(
            drill.command,
            timeout=drill.timeout,
            on_line=partial(log.info, "drill command: %s"),
            environment=told,
            folder=folder,
            pulse=pulse,
        )
    except NotRun as error:
        raise _failed(str(error)) from error
    if code:
        raise _failed(f"it ended with {code}")
    return True


def _failed(why: str) -> HookError:
    hint = "The backup was restored and is as its index says. The command's output is in the"
    return HookError(
        f"The drill's command failed: {why}",
        code="DRILL_COMMAND_FAILED",
        hint=f"{hint} job's log; look at BACKUP_DRILL_COMMAND.",
    )
