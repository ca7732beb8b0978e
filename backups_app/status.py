"""The state of the service at a glance, from the database alone: it never waits for the bucket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from django.db.models import Count, Q
from django.utils import timezone

from backups_app.models import BucketSummary, Job, Kind, WorkerSeen
from backups_app.states import State
from worker.engine import schedule
from worker.engine.settings import Problem, Settings


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
class Status:
    enabled: bool
    schedule: str
    timezone: str
    next_run: datetime | None
    last_backup: Job | None
    last_success: datetime | None
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
    problems: tuple[Problem, ...]
    version: str


def status(settings: Settings) -> Status:
    """All that the status page and `GET status` show."""
    plan = settings.plan
    jobs = Job.objects.filter(plan=plan.plan)
    current = jobs.active().first()
    ended = jobs.filter(kind=Kind.BACKUP, started_at__isnull=False).exclude(finished_at=None)
    success = ended.filter(state=State.SUCCEEDED).first()
    seen = BucketSummary.objects.filter(plan=plan.plan).first()
    return Status(
        enabled=settings.enabled,
        schedule=settings.schedule,
        timezone=settings.timezone,
        next_run=_next_run(settings),
        last_backup=ended.first(),
        last_success=success.finished_at if success else None,
        in_progress=current is not None,
        current_job=current,
        s3_bucket=settings.storage.bucket,
        max_backups=plan.max_backups,
        stop_instances=plan.stop_instances,
        encrypted=plan.encryption_key is not None,
        data_dir=str(plan.data_dir),
        storage_local=settings.embedded_s3,
        workers_alive=WorkerSeen.objects.alive().filter(runs_jobs=True).count(),
        counts=_counts(plan.plan, seen),
        sizes=Sizes(seen.latest_bytes, seen.total_bytes) if seen else Sizes(None, None),
        problems=settings.problems,
        version=own_version(),
    )


def own_version() -> str:
    try:
        return version("tarkeep")
    except PackageNotFoundError:  # run from a bare checkout
        return "unknown"


def _next_run(settings: Settings) -> datetime | None:
    if not settings.enabled:
        return None
    return schedule.next_run(settings.schedule, settings.timezone, timezone.now())


def _counts(plan: str, seen: BucketSummary | None) -> Counts:
    found = Job.objects.filter(plan=plan).aggregate(
        jobs=Count("pk"),
        succeeded=Count("pk", filter=Q(state=State.SUCCEEDED)),
        failed=Count("pk", filter=Q(state__in=(State.FAILED, State.LOST))),
    )
    return Counts(backups=seen.backups if seen else None, **found)
