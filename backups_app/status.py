"""The state of the service at a glance, from the database alone: it never waits for the bucket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version

from django.db.models import Count, Q
from django.utils import timezone

from backups_app import pauses
from backups_app.alerts import Alert, PartState, alerts, parts
from backups_app.bucket import newest_made
from backups_app.down import DownInstance, instances_down
from backups_app.models import (
    CHECKS,
    BucketSummary,
    BucketTrouble,
    Job,
    Kind,
    Part,
    PartSeen,
    SchedulePause,
)
from backups_app.plans import is_here
from backups_app.proofs import Proof, last, records
from backups_app.states import State
from backups_app.verdict import Facts, Verdict, judge
from worker.engine import schedule
from worker.engine.config import PlanConfig
from worker.engine.settings import Problem, Settings
from worker.engine.swap.copies import SafetyCopy, safety_copies


@dataclass(frozen=True)
class Counts:
    """`backups` is None until somebody looked into the bucket."""

    backups: int | None
    jobs: int
    succeeded: int
    failed: int


@dataclass(frozen=True)
class Sizes:
    """Bytes in the bucket, as last seen."""

    latest: int | None
    total: int | None


@dataclass(frozen=True)
class KeptCopy:
    """A folder that was replaced at `time`; by a restore of the backup `replaced_by`, if known.

    `partial`: it holds single entries. `size`: the bytes of its files, if somebody counted.
    """

    name: str
    path: str
    time: datetime
    replaced_by: str | None
    partial: bool = False
    size: int | None = None


@dataclass(frozen=True)
class Status:
    plan: str
    host: str
    enabled: bool
    schedule: str
    timezone: str
    next_run: datetime | None
    last_backup: Job | None
    last_success: datetime | None
    last_verified: Proof | None
    last_proven: Proof | None
    verify_schedule: str
    drill_schedule: str
    verdict: Verdict
    alerts: tuple[Alert, ...]
    parts: tuple[PartState, ...]
    paused: SchedulePause | None
    next_runs: tuple[datetime, ...]
    in_progress: bool
    current_job: Job | None
    s3_bucket: str
    max_backups: int
    stop_instances: bool
    encrypted: bool
    data_dir: str
    storage_local: bool
    workers_alive: int
    counts: Counts
    sizes: Sizes
    instances_down: tuple[DownInstance, ...]
    safety_copies: tuple[KeptCopy, ...]
    problems: tuple[Problem, ...]
    version: str


def status(settings: Settings) -> Status:
    """All that the status page and `GET status` show."""
    plan = settings.plan
    jobs = Job.objects.filter(plan=plan.plan)
    current = jobs.active().first()
    ended = jobs.filter(kind=Kind.BACKUP, started_at__isnull=False).exclude(finished_at=None)
    known = records(plan.plan)
    damaged = [key for key, record in known.items() if record.damaged]
    success = ended.filter(state=State.SUCCEEDED).exclude(backup_key__in=damaged).first()
    seen = BucketSummary.objects.filter(plan=plan.plan).first()
    now = timezone.now()
    known_alerts = alerts(settings, now)
    down = tuple(instances_down(plan.plan))
    workers = PartSeen.objects.alive().filter(part=Part.WORKER, host=plan.host).count()
    facts = Facts(
        now=now,
        newest=newest_made(plan.plan, damaged),
        looked=seen is not None,
        trouble=BucketTrouble.objects.filter(plan=plan.plan).first(),
        enabled=settings.enabled,
        schedule=settings.schedule,
        timezone=settings.timezone,
        grace=timedelta(minutes=settings.notify.overdue_minutes),
        problems=settings.problems,
        down=down,
        alerts=known_alerts,
        current=current,
        last_backup=ended.first(),
        left_out=success.trouble_count if success else 0,
        check=_last_check(plan.plan),
        workers=workers,
        local=settings.embedded_s3,
    )
    return Status(
        plan=plan.plan,
        host=plan.host,
        enabled=settings.enabled,
        schedule=settings.schedule,
        timezone=settings.timezone,
        next_run=next_of(settings),
        last_backup=facts.last_backup,
        last_success=success.finished_at if success else None,
        last_verified=last(known, Kind.VERIFY),
        last_proven=last(known, Kind.DRILL),
        verify_schedule=settings.verify_schedule,
        drill_schedule=settings.drill_schedule,
        verdict=judge(facts),
        alerts=known_alerts,
        parts=tuple(parts()),
        paused=pauses.of(plan.plan),
        next_runs=tuple(next_runs(settings, count=5)),
        in_progress=current is not None,
        current_job=current,
        s3_bucket=settings.storage.bucket,
        max_backups=plan.max_backups,
        stop_instances=plan.stop_instances,
        encrypted=plan.encryption_key is not None,
        data_dir=str(plan.data_dir),
        storage_local=settings.embedded_s3,
        workers_alive=workers,
        counts=_counts(plan.plan, seen),
        sizes=Sizes(seen.latest_bytes, seen.total_bytes) if seen else Sizes(None, None),
        instances_down=down,
        safety_copies=_safety_copies(plan) if is_here(settings) else (),
        problems=settings.problems,
        version=own_version(),
    )


def own_version() -> str:
    try:
        return version("tarkeep")
    except PackageNotFoundError:  # run from a bare checkout
        return "unknown"


def next_of(settings: Settings) -> datetime | None:
    """When the next backup is due; None while the schedule is off, or paused for good."""
    return next(iter(next_runs(settings, count=1)), None)


def next_runs(settings: Settings, *, count: int) -> list[datetime]:
    """The next backups; those after a pause that ends, none while the schedule is off."""
    pause = pauses.of(settings.plan.plan)
    if not settings.enabled or (pause and not pause.until):
        return []
    after = pause.until if pause and pause.until else timezone.now()
    return schedule.next_runs(settings.schedule, settings.timezone, after, count=count)


def _last_check(plan: str) -> Job | None:
    ended = Job.objects.filter(plan=plan, kind__in=CHECKS, finished_at__isnull=False)
    told = ended.filter(state__in=(State.SUCCEEDED, State.FAILED, State.LOST))
    return told.order_by("-finished_at").first()


def _counts(plan: str, seen: BucketSummary | None) -> Counts:
    found = Job.objects.filter(plan=plan).aggregate(
        jobs=Count("pk"),
        succeeded=Count("pk", filter=Q(state=State.SUCCEEDED)),
        failed=Count("pk", filter=Q(state__in=(State.FAILED, State.LOST))),
    )
    return Counts(backups=seen.backups if seen else None, **found)


def _safety_copies(plan: PlanConfig) -> tuple[KeptCopy, ...]:
    """Newest first. What is on the disk counts; which backup came instead, the jobs know."""
    copies = safety_copies(plan.data_dir)
    names = [str(copy.path) for copy in copies]
    jobs = Job.objects.filter(plan=plan.plan, kind=Kind.RESTORE, result__safetyCopy__in=names)
    keys = {job.result["safetyCopy"]: job.backup_key for job in jobs} if copies else {}
    return tuple(_kept(copy, keys.get(str(copy.path))) for copy in copies)


def _kept(copy: SafetyCopy, replaced_by: str | None) -> KeptCopy:
    known = copy.about
    size = known.bytes if known and known.bytes >= 0 else None
    path = copy.path
    return KeptCopy(path.name, str(path), copy.time, replaced_by, copy.partial, size)
