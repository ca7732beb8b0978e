"""From a claimed job to a call of the engine, and from the engine's result to the job's row."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, cast

from backups_app import bucket, head, keeping, plans, proofs
from backups_app.models import Job, Kind
from worker.engine.backup import Mode, run_backup
from worker.engine.catalogue import find_backup, list_backups
from worker.engine.drill import run_drill
from worker.engine.errors import ConfigError, EngineError
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.restore_part import run_restore_part
from worker.engine.restore_to import run_restore_to
from worker.engine.settings import Settings, require
from worker.engine.storage import Storage
from worker.engine.storage.s3 import open_storage
from worker.engine.undo import run_undo
from worker.engine.verify import run_verify
from worker.unfinished import of_earlier_attempts

log = logging.getLogger(__name__)


def run(job: Job, settings: Settings, progress: Progress, *, now: datetime) -> dict[str, Any]:
    """Do what the job asks for. Returns the fields of its row that tell the result.

    Raises what the engine raises, and `ConfigError` for wrong settings.
    """
    require(settings)
    return RUNS[Kind(job.kind)](job, settings, progress, now)


def _backup(job: Job, settings: Settings, progress: Progress, now: datetime) -> dict[str, Any]:
    storage = _bucket(settings, progress)
    made = run_backup(
        settings.plan,
        storage,
        progress,
        now=now,
        job_id=str(job.pk),
        fence=job.fence,
        held=keeping.held(job.plan),
        unfinished=of_earlier_attempts(job),
        mode=cast("Mode", job.mode),
    )
    result = {
        "bucket": settings.storage.bucket,
        "size": made.size,
        "dataSize": made.data_size,
        "files": made.files,
        "bytesRead": made.bytes_read,
        "bytesSent": made.bytes_sent,
        "bytesCopied": made.bytes_copied,
        "base": made.metadata.base,
        "generation": made.metadata.generation,
        "fullReason": made.metadata.full_reason,
        "checksum": made.checksum,
        "encrypted": made.encrypted,
        "keyId": made.metadata.key_id,
        "pruned": list(made.pruned),
        "downtime": made.downtime,
        "unchanged": made.unchanged,
    }
    return {"backup_key": made.key, "result": result}


def _restore(job: Job, settings: Settings, progress: Progress, now: datetime) -> dict[str, Any]:
    storage, plan = _bucket(settings, progress), settings.plan
    head.demand_same(settings, find_backup(storage, plan, job.backup_key))
    if job.target:
        return _restore_to(job, settings, progress)
    if job.paths or job.entries:
        done = run_restore_part(
            plan,
            storage,
            progress,
            key=job.backup_key,
            words=job.paths,
            entries=job.entry_paths,
            now=now,
        )
    else:
        done = run_restore(plan, storage, progress, key=job.backup_key, now=now)
    result = {
        "files": done.files,
        "bytes": done.bytes,
        "safetyCopy": str(done.safety_copy) if done.safety_copy else None,
        "safetyBackup": done.safety_backup,
        "mode": done.mode,
        "downtime": done.downtime,
    }
    return {"result": result}


def _undo(_: Job, settings: Settings, progress: Progress, now: datetime) -> dict[str, Any]:
    done = run_undo(settings.plan, progress, now=now)
    result = {
        "copy": str(done.copy),
        "safetyCopy": str(done.safety_copy) if done.safety_copy else None,
        "mode": done.mode,
        "downtime": done.downtime,
    }
    return {"result": result}


def _restore_to(job: Job, settings: Settings, progress: Progress) -> dict[str, Any]:
    folder = settings.plan.restore_dir
    if folder is None:
        raise ConfigError("BACKUP_RESTORE_DIR is not set any more", hint="Set it, or use no `to`.")
    done = run_restore_to(
        settings.plan,
        _bucket(settings, progress),
        progress,
        key=job.backup_key,
        target=folder / job.target,
        words=job.paths,
        entries=job.entry_paths,
    )
    return {"result": {"files": done.files, "bytes": done.bytes, "target": str(done.target)}}


def _verify(job: Job, settings: Settings, progress: Progress, _: datetime) -> dict[str, Any]:
    storage = _bucket(settings, progress)
    read = run_verify(settings.plan, storage, progress, key=_chosen(job, settings, storage))
    result = {
        "files": read.files,
        "bytes": read.bytes,
        "size": read.size,
        "segments": read.segments,
        "databases": read.databases,
        "databasesNotChecked": read.unchecked,
        "indexed": read.indexed,
    }
    return {"result": result}


def _drill(job: Job, settings: Settings, progress: Progress, _: datetime) -> dict[str, Any]:
    storage = _bucket(settings, progress)
    key = _chosen(job, settings, storage)
    proof = run_drill(settings.plan, storage, progress, key=key, job_id=str(job.pk))
    result = {
        "files": proof.files,
        "bytes": proof.bytes,
        "seconds": proof.seconds,
        "bytesPerSecond": proof.bytes_per_second,
        "compared": proof.compared,
        "databases": proof.databases,
        "command": proof.command,
    }
    return {"result": result}


def _bucket(settings: Settings, progress: Progress) -> Storage:
    """Bytes that pass are signs of life: a slow line is no run that hangs."""
    return open_storage(settings.storage, pulse=progress.pulse, check=progress.checkpoint)


def _chosen(job: Job, settings: Settings, storage: Storage) -> str:
    """The backup to check; a scheduled check chooses now, and writes down which one first."""
    if not job.backup_key:
        found = list_backups(storage, settings.plan, with_metadata=False)
        key = proofs.choose(proofs.records(job.plan), found, Kind(job.kind))
        job.update(backup_key=key)
        job.backup_key = key
    return job.backup_key


def look_again(plan: str) -> None:
    """The count on the status page; the backup stands whether or not this works."""
    try:
        bucket.refresh(plans.settings_of(plan))
    except EngineError as error:
        log.warning("The bucket could not be counted anew: %s", error.message)


Run = Callable[[Job, Settings, Progress, datetime], dict[str, Any]]
RUNS: Final[dict[Kind, Run]] = {
    Kind.BACKUP: _backup,
    Kind.RESTORE: _restore,
    Kind.VERIFY: _verify,
    Kind.UNDO: _undo,
    Kind.DRILL: _drill,
}
