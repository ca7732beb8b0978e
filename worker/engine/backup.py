"""The story of one backup: scan, read, pack, send, publish, prune.

Written in this order: archive, index, metadata. A backup exists when its metadata does, so a
run that dies anywhere leaves nothing that looks like a backup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from worker.engine import hooks
from worker.engine.capture.afterwards import expire_copies, prune
from worker.engine.capture.run import BackupRun
from worker.engine.capture.spool import SpoolFull
from worker.engine.capture.workspace import workspace
from worker.engine.config import PlanConfig
from worker.engine.crashpoints import crashpoint
from worker.engine.metadata import Metadata
from worker.engine.progress import Progress
from worker.engine.retention import Held
from worker.engine.reuse.base import Base
from worker.engine.reuse.refused import NotReused
from worker.engine.storage import Storage
from worker.engine.swap.swap import demand_settled

Mode = Literal["", "full", "deep"]


@dataclass(frozen=True)
class BackupResult:
    """What was made. Sizes in bytes: `size` stored, `data_size` of the source files.

    `downtime`: seconds that instances were stopped, 0 when none was. `unchanged`: nothing was
    made (`BACKUP_WHEN_UNCHANGED`); `key` and what is said of it are the last backup's.
    """

    key: str
    size: int
    data_size: int
    files: int
    bytes_sent: int
    bytes_read: int
    bytes_copied: int
    warnings: int
    checksum: str
    encrypted: bool
    pruned: tuple[str, ...]
    downtime: float
    metadata: Metadata
    unchanged: bool = False


def run_backup(
    plan: PlanConfig,
    storage: Storage,
    progress: Progress,
    *,
    now: datetime,
    job_id: str = "",
    fence: int = 0,
    held: Held | None = None,
    unfinished: Sequence[tuple[str, str]] = (),
    mode: Mode = "",
) -> BackupResult:
    """Make one backup of the plan's data folder and prune old ones, but none that is `held`.

    `mode`: "full" packs all anew, "deep" reads and compares all; else the settings say.

    A run before it that broke off is gone on with, if its journal is here; `unfinished` uploads
    (key, id) of it are then aborted.

    Raises `SourceError`, `StorageError`, `TargetError` or `JobStopped`; then nothing was
    published and nothing pruned.
    """
    run = BackupRun(
        plan,
        storage,
        progress,
        now.astimezone(UTC),
        job_id,
        fence,
        held=held or Held(),
        unfinished=unfinished,
        no_reuse="FULL_ASKED" if mode == "full" else "",
        deep=mode == "deep",
    )
    progress.phase("preparing")
    with hooks.around(plan.hooks, run.progress, job_id=job_id):
        run = _make(run)
    if base := run.unchanged:
        return _nothing_new(run, base)
    progress.phase("pruning")
    pruned = prune(storage, plan, run.progress, made=run.key, held=run.held)
    expire_copies(plan, run.progress, run.now)
    crashpoint("backup.pruned")
    return _result(run, pruned)


def _make(run: BackupRun) -> BackupRun:
    """Each way that does not work is tried once; the attempt that made the backup."""
    while True:
        try:
            _attempt(run)
        except (NotReused, SpoolFull) as reason:
            run.progress.phase("preparing")
            run = run.again(reason)
        else:
            return run


def _attempt(run: BackupRun) -> None:
    """Raises `NotReused` when what the server copied from the last backup is no good, and
    `SpoolFull` when the temporary folder cannot hold what is to be uploaded later."""
    with workspace(run.plan.temp_dir) as work, run.prepared(work):
        demand_settled(run.plan.data_dir)
        with run.stopped() as instances, run.reading():
            run.progress.phase("scanning")
            run.scan()
            run.compare()
            if not run.unchanged:
                run.archive(instances)


def _nothing_new(run: BackupRun, base: Base) -> BackupResult:
    """What was there is what is there: nothing is pruned for it either."""
    made = base.metadata
    assert made is not None
    return BackupResult(
        key=base.key,
        size=made.size,
        data_size=made.data_size or 0,
        files=made.file_count or 0,
        bytes_sent=0,
        bytes_read=0,
        bytes_copied=0,
        warnings=run.progress.count,
        checksum=made.checksum,
        encrypted=made.encrypted,
        pruned=(),
        downtime=run.downtime,
        metadata=made,
        unchanged=True,
    )


def _result(run: BackupRun, pruned: tuple[str, ...]) -> BackupResult:
    made = run.metadata
    return BackupResult(
        key=run.key,
        size=made.size,
        data_size=run.totals.bytes,
        files=run.totals.files,
        bytes_sent=made.bytes_sent or 0,
        bytes_read=made.bytes_read or 0,
        bytes_copied=made.bytes_copied or 0,
        warnings=run.progress.count,
        checksum=made.checksum,
        encrypted=made.encrypted,
        pruned=pruned,
        downtime=run.downtime,
        metadata=made,
    )
