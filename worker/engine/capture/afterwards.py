"""What a backup that was made outlives: old backups, and what restores had replaced."""

from __future__ import annotations

from datetime import datetime

from worker.engine import retention
from worker.engine.config import PlanConfig
from worker.engine.errors import StorageError, TargetError
from worker.engine.progress import Progress, SourceWarning
from worker.engine.storage import Storage
from worker.engine.swap.copies import expire


def prune(
    storage: Storage, plan: PlanConfig, progress: Progress, *, made: str, held: retention.Held
) -> tuple[str, ...]:
    """Delete what retention no longer keeps; trouble with that is a warning, no failure."""
    try:
        return tuple(retention.apply(storage, plan, progress, just_made=made, held=held))
    except StorageError as error:
        progress.warn(SourceWarning("PRUNE_FAILED", "", error.message))
        return ()


def expire_copies(plan: PlanConfig, progress: Progress, now: datetime) -> None:
    """Remove safety copies that the backup has outlived; one that has to stay is told of."""
    try:
        looked = expire(
            plan.data_dir,
            now=now,
            days=plan.safety_copy_days,
            last_backup=now,
            pulse=progress.pulse,
        )
        for copy in looked.kept:
            progress.warn(SourceWarning(copy.code, "", f"{copy.message}. {copy.hint}"))
    except TargetError as error:
        progress.warn(SourceWarning("SAFETY_COPY_KEPT", "", error.message))
