"""What people and programs can ask for: the use cases, the same for API, admin and schedule."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from backups_app import bucket, events
from backups_app.models import Job, Kind, Trigger
from backups_app.states import State
from worker import tasks
from worker.engine.catalogue import BackupInfo
from worker.engine.errors import EngineError
from worker.engine.naming import check_key
from worker.engine.settings import require


class JobActive(EngineError):
    """One job at a time for each plan: `job` is the one that waits or runs."""

    default_code = "JOB_ACTIVE"

    def __init__(self, job: Job) -> None:
        hint = "Wait until it has ended, or cancel it."
        super().__init__(f"A {job.kind} is {job.state.lower()} already", hint=hint)
        self.job = job


class SlotTaken(EngineError):
    """The slot was queued, or recorded as missed, by somebody else before us."""

    default_code = "SLOT_TAKEN"


class TooLateToCancel(EngineError):
    default_code = "TOO_LATE_TO_CANCEL"


def start_backup(*, trigger: Trigger, requested_by: str, slot: datetime | None = None) -> Job:
    """Queue a backup. `JobActive` when a job is active, `ConfigError` for wrong settings."""
    return _start(Kind.BACKUP, trigger=trigger, requested_by=requested_by, slot=slot)


def start_restore(*, key: str, trigger: Trigger, requested_by: str) -> Job:
    """Queue a restore of the backup of that key. `ArchiveError` when there is none."""
    return _start_from(Kind.RESTORE, key=key, trigger=trigger, requested_by=requested_by)


def start_verify(*, key: str, trigger: Trigger, requested_by: str) -> Job:
    """Queue a reading of the whole backup of that key, which changes nothing."""
    return _start_from(Kind.VERIFY, key=key, trigger=trigger, requested_by=requested_by)


def retry(job: Job, *, not_before: Any, attempt: int) -> Job | None:
    """Queue the same run again after `job` died. None when another job is active by now."""
    try:
        return _start(
            Kind(job.kind),
            trigger=Trigger(job.trigger),
            requested_by=job.requested_by,
            backup_key=job.backup_key if job.kind != Kind.BACKUP else "",
            retry_of=job,
            not_before=not_before,
            attempt=attempt,
        )
    except EngineError:
        return None


def cancel_job(job: Job) -> Job:
    """Cancel a waiting job at once, a running one within seconds. `TooLateToCancel` else."""
    if not job.cancel():
        raise TooLateToCancel(
            "The job can no longer be cancelled",
            hint="It has ended, or is past the point where stopping would do harm.",
        )
    events.announce(job.pk)
    return Job.objects.get(pk=job.pk)


def list_backups() -> list[BackupInfo]:
    """All backups in the bucket, newest first. `ConfigError`, `StorageError`."""
    require(settings.TARKEEP)
    return bucket.backups(settings.TARKEEP)


def _start_from(kind: Kind, *, key: str, trigger: Trigger, requested_by: str) -> Job:
    require(settings.TARKEEP)
    check_key(settings.TARKEEP.plan, key)
    _refuse_second()
    bucket.demand(settings.TARKEEP, key)
    return _start(kind, trigger=trigger, requested_by=requested_by, backup_key=key)


def _start(kind: Kind, **fields: Any) -> Job:
    """Insert the job and hint at it once it is committed. The row is the truth.

    The database's constraints decide between two who start at once.
    """
    require(settings.TARKEEP)
    plan = settings.TARKEEP.plan.plan
    try:
        with transaction.atomic():
            job = Job.objects.create(plan=plan, kind=kind, dispatched_at=Now(), **fields)
            transaction.on_commit(partial(tasks.send_hint, str(job.pk)), robust=True)
            events.announce(job.pk)
    except IntegrityError as error:
        _refuse_second()
        if fields.get("slot"):
            raise SlotTaken("This slot has its job already") from error
        return _start(kind, **fields)  # the job that was in the way has ended just now
    return Job.objects.get(pk=job.pk)


def _refuse_second() -> None:
    active = Job.objects.active().filter(plan=settings.TARKEEP.plan.plan).first()
    if active:
        raise JobActive(active)


def record_unrun(slot: datetime, error: EngineError) -> Job | None:
    """A scheduled backup that could not even begin, for the history. None if known already."""
    try:
        with transaction.atomic():
            job = Job.objects.create(
                plan=settings.TARKEEP.plan.plan,
                kind=Kind.BACKUP,
                trigger=Trigger.SCHEDULE,
                state=State.FAILED,
                slot=slot,
                finished_at=Now(),
                error_code=error.code,
                error_message=error.message,
                error_hint=error.hint,
            )
            events.announce(job.pk)
    except IntegrityError:
        return None
    return job
