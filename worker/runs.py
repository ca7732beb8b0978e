"""From a claimed job to a call of the engine, and from the engine's result to the job's row."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from backups_app import bucket
from backups_app.models import Job, Kind
from worker.engine.backup import run_backup
from worker.engine.errors import StorageError
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.settings import Settings, require
from worker.engine.storage.s3 import open_storage
from worker.engine.verify import run_verify

log = logging.getLogger(__name__)


def run(job: Job, settings: Settings, progress: Progress, *, now: datetime) -> dict[str, Any]:
    """Do what the job asks for. Returns the fields of its row that tell the result.

    Raises what the engine raises, and `ConfigError` for wrong settings.
    """
    require(settings)
    return RUNS[Kind(job.kind)](job, settings, progress, now)


def _backup(job: Job, settings: Settings, progress: Progress, now: datetime) -> dict[str, Any]:
    storage = open_storage(settings.storage)
    made = run_backup(
        settings.plan, storage, progress, now=now, job_id=str(job.pk), fence=job.fence
    )
    _look_again(settings)
    result = {
        "size": made.size,
        "dataSize": made.data_size,
        "files": made.files,
        "bytesSent": made.bytes_sent,
        "checksum": made.checksum,
        "encrypted": made.encrypted,
        "pruned": list(made.pruned),
        "downtime": made.downtime,
    }
    return {"backup_key": made.key, "result": result}


def _restore(job: Job, settings: Settings, progress: Progress, now: datetime) -> dict[str, Any]:
    storage = open_storage(settings.storage)
    done = run_restore(settings.plan, storage, progress, key=job.backup_key, now=now)
    result = {
        "files": done.files,
        "bytes": done.bytes,
        "safetyCopy": str(done.safety_copy) if done.safety_copy else None,
        "mode": done.mode,
    }
    return {"result": result}


def _verify(job: Job, settings: Settings, progress: Progress, _: datetime) -> dict[str, Any]:
    read = run_verify(settings.plan, open_storage(settings.storage), progress, key=job.backup_key)
    return {"result": {"files": read.files, "bytes": read.bytes}}


def _look_again(settings: Settings) -> None:
    """The count on the status page; the backup stands whether or not this works."""
    try:
        bucket.refresh(settings)
    except StorageError as error:
        log.warning("The bucket could not be counted anew: %s", error.message)


Run = Callable[[Job, Settings, Progress, datetime], dict[str, Any]]
RUNS: Final[dict[Kind, Run]] = {
    Kind.BACKUP: _backup,
    Kind.RESTORE: _restore,
    Kind.VERIFY: _verify,
}
