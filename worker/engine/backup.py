"""The story of one backup: scan, read, pack, send, publish, prune.

Written in this order: archive, index, metadata. A backup exists when its metadata does, so a
run that dies anywhere leaves nothing that looks like a backup.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from worker.engine import hooks
from worker.engine.capture.run import BackupRun
from worker.engine.capture.workspace import workspace
from worker.engine.config import PlanConfig
from worker.engine.metadata import Metadata
from worker.engine.progress import Progress
from worker.engine.storage import Storage


@dataclass(frozen=True)
class BackupResult:
    """What was made. Sizes in bytes: `size` stored, `data_size` of the source files.

    `downtime`: seconds that instances were stopped, 0 when none was.
    """

    key: str
    size: int
    data_size: int
    files: int
    bytes_sent: int
    warnings: int
    checksum: str
    encrypted: bool
    pruned: tuple[str, ...]
    downtime: float
    metadata: Metadata


def run_backup(
    plan: PlanConfig,
    storage: Storage,
    progress: Progress,
    *,
    now: datetime,
    job_id: str = "",
    fence: int = 0,
) -> BackupResult:
    """Make one backup of the plan's data folder and prune old ones.

    Raises `SourceError`, `StorageError`, `TargetError` or `JobStopped`; then nothing was
    published and nothing pruned.
    """
    run = BackupRun(plan, storage, progress, now.astimezone(UTC), job_id, fence)
    progress.phase("preparing")
    with (
        hooks.around(plan.hooks, run.progress, job_id=job_id),
        workspace(plan.temp_dir) as work,
        run.prepared(work),
        run.stopped() as instances,
    ):
        progress.phase("scanning")
        run.scan()
        run.archive(instances)
    progress.phase("pruning")
    return _result(run, run.prune())


def _result(run: BackupRun, pruned: tuple[str, ...]) -> BackupResult:
    made = run.metadata
    return BackupResult(
        key=run.key,
        size=made.size,
        data_size=run.totals.bytes,
        files=run.totals.files,
        bytes_sent=made.size + (made.index_size or 0),
        warnings=run.progress.count,
        checksum=made.checksum,
        encrypted=made.encrypted,
        pruned=pruned,
        downtime=run.downtime,
        metadata=made,
    )
