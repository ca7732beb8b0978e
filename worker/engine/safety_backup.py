"""A backup of what a restore is about to replace, made and pinned before anything is touched."""

from __future__ import annotations

from datetime import datetime

from worker.engine import marks
from worker.engine.archive.key_check import check_key_fits
from worker.engine.backup import run_backup
from worker.engine.catalogue import BackupInfo
from worker.engine.config import PlanConfig
from worker.engine.errors import EngineError, JobStopped, SourceError, TargetError
from worker.engine.progress import Counting, Progress
from worker.engine.retention import Held
from worker.engine.storage import Storage

NOTHING = ("SOURCE_MISSING", "SOURCE_EMPTY")
_BY = "a restore, of what it replaces"


class _Before(Counting):
    """The backup's steps do not make the restore one that can no longer be cancelled."""

    def commit(self, step: str) -> None:
        self.inner.checkpoint()


def save_live(
    plan: PlanConfig, storage: Storage, progress: Progress, *, restoring: BackupInfo, now: datetime
) -> str | None:
    """The key of the pinned backup; None where there is nothing to save, or nobody wants it.

    Retention spares the backup that is to be restored. `TargetError` (SAFETY_BACKUP_FAILED) when
    it cannot be made, `KeyMismatch` when the backup to be restored has another key, `JobStopped`.
    """
    if not plan.restore.upload_copy:
        return None
    check_key_fits(storage, plan, restoring)
    held = Held(in_use=frozenset({restoring.key}))
    try:
        made = run_backup(plan, storage, _Before(progress), now=now, held=held)
        return marks.pin(storage, plan, made.key, at=now, by=_BY)
    except JobStopped:
        raise
    except EngineError as error:
        if isinstance(error, SourceError) and error.code in NOTHING:
            return None
        raise TargetError(
            f"What is to be replaced could not be backed up first: {error.message}",
            hint=f"Nothing was restored. {error.hint} BACKUP_SAFETY_COPY_UPLOAD=false restores"
            " without it.",
            code="SAFETY_BACKUP_FAILED",
        ) from error
