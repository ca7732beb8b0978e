"""What people and programs can ask for: the use cases, the same for API, admin and schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from backups_app import bucket, events, keeping, plans
from backups_app.models import Job, Kind, Mode, Trigger
from backups_app.raw import as_text
from backups_app.states import State
from worker import tasks
from worker.engine.archive.choice import Choice
from worker.engine.catalogue import LATEST, BackupInfo
from worker.engine.config import DEFAULT_PLAN
from worker.engine.errors import ArchiveError, EngineError
from worker.engine.naming import check_key
from worker.engine.settings import Settings, require
from worker.engine.undo import newest_copy


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


def start_backup(
    *, trigger: Trigger, requested_by: str, plan: str = DEFAULT_PLAN, mode: Mode = Mode.USUAL
) -> Job:
    """Queue a backup. `JobActive` when a job is active, `ConfigError` for wrong settings.

    Here as below: `NoSuchPlan` when there is no plan of that name.
    """
    asked = {"trigger": trigger, "requested_by": requested_by}
    return _start(plans.settings_of(plan), Kind.BACKUP, mode=mode, **asked)


def start_restore(
    *,
    key: str,
    trigger: Trigger,
    requested_by: str,
    paths: Sequence[str] = (),
    entries: Sequence[bytes] = (),
    target: str = "",
    plan: str = DEFAULT_PLAN,
) -> Job:
    """Queue a restore of the backup of that key, or of `paths` and `entries` in it (`Choice`).

    `target` names a new folder below BACKUP_RESTORE_DIR to restore into. `ArchiveError` when
    there is no such backup, a path is malformed, or no such folder is set (RESTORE_DIR_UNSET).
    """
    if paths or entries:
        Choice(paths, entries)
    settings = plans.settings_of(plan)
    if target and plans.is_here(settings) and settings.plan.restore_dir is None:
        raise ArchiveError(
            "Restores into another folder are not allowed here",
            code="RESTORE_DIR_UNSET",
            hint="Set BACKUP_RESTORE_DIR, or use `tarkeep restore --to`.",
        )
    fields = {"paths": list(paths), "entries": [as_text(one) for one in entries], "target": target}
    asked = {"trigger": trigger, "requested_by": requested_by}
    return _start_from(settings, Kind.RESTORE, key=key, **fields, **asked)


def which_backup(key: str, at: datetime | None = None, plan: str = DEFAULT_PLAN) -> str:
    """The key itself, that of the newest (`latest`), or that of the newest made `at` that time.

    `ArchiveError` (BACKUP_NOT_FOUND), `StorageError`, `ConfigError`.
    """
    if at is None and key != LATEST:
        return key
    settings = plans.settings_of(plan)
    require(settings)
    return bucket.newest(settings, at)


def start_verify(*, key: str, trigger: Trigger, requested_by: str, plan: str = DEFAULT_PLAN) -> Job:
    """Queue a reading of the whole backup of that key, which changes nothing."""
    asked = {"trigger": trigger, "requested_by": requested_by}
    return _start_from(plans.settings_of(plan), Kind.VERIFY, key=key, **asked)


def start_drill(*, key: str, trigger: Trigger, requested_by: str, plan: str = DEFAULT_PLAN) -> Job:
    """Queue a restore of that backup into a scratch folder, to prove it."""
    asked = {"trigger": trigger, "requested_by": requested_by}
    return _start_from(plans.settings_of(plan), Kind.DRILL, key=key, **asked)


def start_undo(*, trigger: Trigger, requested_by: str, plan: str = DEFAULT_PLAN) -> Job:
    """Queue the undoing of the last restore. `TargetError` when no safety copy is there.

    Only a machine that has the plan's data can look; for another one the run does.
    """
    settings = plans.settings_of(plan)
    require(settings)
    refuse_second(plan)
    if plans.is_here(settings):
        newest_copy(settings.plan.data_dir)
    return _start(settings, Kind.UNDO, trigger=trigger, requested_by=requested_by)


def start_slot(kind: Kind, slot: datetime, plan: str = DEFAULT_PLAN) -> Job:
    """Queue what the schedule asks for. A check finds its backup itself when it runs.

    `JobActive`, `SlotTaken`, `ConfigError`.
    """
    asked = {"trigger": Trigger.SCHEDULE, "requested_by": "schedule"}
    return _start(plans.settings_of(plan), kind, slot=slot, **asked)


def retry(job: Job, *, not_before: Any, attempt: int) -> Job | None:
    """Queue the same run again after `job` died. None when another job is active by now."""
    try:
        return _start(
            plans.settings_of(job.plan),
            Kind(job.kind),
            trigger=Trigger(job.trigger),
            requested_by=job.requested_by,
            backup_key=job.backup_key if job.kind != Kind.BACKUP else "",
            paths=job.paths,
            entries=job.entries,
            target=job.target,
            mode=job.mode,
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


def list_backups(plan: str = DEFAULT_PLAN) -> list[BackupInfo]:
    """All backups of the plan in the bucket, newest first. `ConfigError`, `StorageError`."""
    settings = plans.settings_of(plan)
    require(settings)
    return bucket.backups(settings)


def delete_backup(key: str, plan: str = DEFAULT_PLAN) -> str:
    """Delete one backup for good; its key. `JobActive`: a run may be reading it."""
    settings = plans.settings_of(plan)
    require(settings)
    refuse_second(plan)
    return keeping.delete(settings, key)


def _start_from(settings: Settings, kind: Kind, *, key: str, **fields: Any) -> Job:
    require(settings)
    check_key(settings.plan, key)
    refuse_second(settings.plan.plan)
    bucket.demand(settings, key)
    return _start(settings, kind, backup_key=key, **fields)


def _start(settings: Settings, kind: Kind, **fields: Any) -> Job:
    """Insert the job and hint at it once it is committed. The row is the truth.

    The database's constraints decide between two who start at once.
    """
    require(settings)
    plan, host = settings.plan.plan, settings.plan.host
    try:
        with transaction.atomic():
            _give_way(plan)
            job = Job.objects.create(plan=plan, host=host, kind=kind, dispatched_at=Now(), **fields)
            transaction.on_commit(partial(tasks.send_hint, str(job.pk), host), robust=True)
            events.announce(job.pk)
    except IntegrityError as error:
        refuse_second(plan)
        if fields.get("slot"):
            raise SlotTaken("This slot has its job already") from error
        return _start(settings, kind, **fields)  # the job that was in the way has ended just now
    return Job.objects.get(pk=job.pk)


def refuse_second(plan: str) -> None:
    """Raises `JobActive` while a job of the plan waits or runs."""
    active = Job.objects.active().filter(plan=plan)
    if job := active.exclude(pk__in=Job.objects.put_off()).first():
        raise JobActive(job)


def _give_way(plan: str) -> None:
    """A new attempt that waits for better times is in nobody's way: this is one, or is urgent."""
    for job in Job.objects.put_off().filter(plan=plan):
        if job.cancel():
            events.announce(job.pk)


def record_unrun(
    kind: Kind,
    slot: datetime,
    error: EngineError,
    *,
    settings: Settings,
    result: dict[str, Any] | None = None,
) -> Job | None:
    """A scheduled run that could not even begin, for the history. None if known already."""
    try:
        with transaction.atomic():
            job = Job.objects.create(
                plan=settings.plan.plan,
                host=settings.plan.host,
                kind=kind,
                trigger=Trigger.SCHEDULE,
                state=State.FAILED,
                slot=slot,
                finished_at=Now(),
                error_code=error.code,
                error_message=error.message,
                error_hint=error.hint,
                result=result or {},
            )
            events.announce(job.pk)
    except IntegrityError:
        return None
    return job
