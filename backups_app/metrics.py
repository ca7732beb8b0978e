"""`/metrics` for Prometheus: computed from the database when asked, so any web part can answer.

`METRICS` is the whole list, and docs/watching.md is tested against it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from backups_app import hosts, pauses, plans, roles
from backups_app.alerts import alerts, of_plan
from backups_app.api.auth import bearer
from backups_app.api.base import View
from backups_app.models import BucketSummary, Job, Kind, Notice, NoticeState, PartSeen
from backups_app.proofs import last, records
from backups_app.states import State
from backups_app.status import next_of, own_version
from worker.engine.config import DEFAULT_PLAN
from worker.engine.settings import Settings

Labels = dict[str, str]
Sample = tuple[str, Labels, float]


@dataclass(frozen=True)
class Metric:
    """Its name without the prefix, its type and what it says. Times are Unix times in seconds."""

    name: str
    type: str
    about: str


PREFIX: Final = "tarkeep_"
METRICS: Final = (
    Metric("info", "gauge", "Always 1; the version is a label."),
    Metric("schedule_enabled", "gauge", "1 when the schedule is on."),
    Metric("schedule_paused", "gauge", "1 while somebody has paused the schedule."),
    Metric("next_run_timestamp_seconds", "gauge", "When the next scheduled backup is due."),
    Metric("last_success_timestamp_seconds", "gauge", "When the last run of a kind succeeded."),
    Metric("last_end_timestamp_seconds", "gauge", "When the last run of a kind ended."),
    Metric("last_run_success", "gauge", "1 when the last run of a kind succeeded, else 0."),
    Metric("last_duration_seconds", "gauge", "How long the last successful run of a kind took."),
    Metric("last_downtime_seconds", "gauge", "How long instances stood still in the last backup."),
    Metric("last_backup_size_bytes", "gauge", "Size of the last backup in the bucket."),
    Metric("last_backup_data_bytes", "gauge", "Size of the data in the last backup."),
    Metric("last_backup_sent_bytes", "gauge", "Bytes that the last backup sent to the bucket."),
    Metric("last_backup_copied_bytes", "gauge", "Bytes that it copied inside the bucket."),
    Metric("last_backup_files", "gauge", "Entries in the last backup."),
    Metric("last_backup_warnings", "gauge", "Warnings of the last backup."),
    Metric("last_proof_timestamp_seconds", "gauge", "When a backup was last proven to be whole."),
    Metric("jobs", "gauge", "Jobs in the history, by kind and state."),
    Metric("job_running", "gauge", "1 while a job of a kind runs."),
    Metric(
        "lease_seconds", "gauge", "What is left of the running job's lease; below 0 it is lost."
    ),
    Metric("queue_waiting", "gauge", "Jobs that wait for a worker."),
    Metric("queue_oldest_seconds", "gauge", "How long the oldest of them has waited."),
    Metric("instances_down", "gauge", "Ended jobs that have left instances stopped."),
    Metric("bucket_backups", "gauge", "Backups in the bucket, as last counted."),
    Metric("bucket_bytes", "gauge", "Their size together, as last counted."),
    Metric("bucket_looked_timestamp_seconds", "gauge", "When that was."),
    Metric("parts_alive", "gauge", "Processes of each part of the service seen just now."),
    Metric("part_seen_timestamp_seconds", "gauge", "When a process was last seen."),
    Metric("alerts", "gauge", "1 for each alert that is open, by code."),
    Metric("notices", "gauge", "Notices and heartbeats of the last 30 days, by state."),
)


class MetricsReader(AnonymousUser):
    """Whoever knows BACKUP_METRICS_TOKEN. It opens nothing else."""

    @property
    def is_authenticated(self) -> Any:
        return True

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return perm == roles.VIEW


class MetricsToken(BaseAuthentication):
    """The token of metrics; with any other the next kind of authentication decides."""

    def authenticate(self, request: Request) -> tuple[MetricsReader, None] | None:
        given = bearer(request.headers.get("Authorization", "")) or ""
        expected: str = settings.TARKEEP.metrics_token
        right = hmac.compare_digest(given.encode(), expected.encode())
        return (MetricsReader(), None) if expected and right else None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Tarkeep metrics"'


class MetricsView(View):
    needs: ClassVar = {"GET": roles.VIEW}
    throttle_classes = ()
    authentication_classes = (MetricsToken, *View.authentication_classes)

    @extend_schema(exclude=True)
    def get(self, _: Request) -> HttpResponse:
        text = exposition(settings.TARKEEP, timezone.now())
        return HttpResponse(text, content_type="text/plain; version=0.0.4; charset=utf-8")


def exposition(config: Settings, now: datetime) -> str:
    """Prometheus' text format 0.0.4. Metrics without a value are left out."""
    samples: dict[str, list[str]] = {}
    for name, labels, value in collect(config, now):
        samples.setdefault(name, []).append(f"{PREFIX}{name}{_labels(labels)} {value:.15g}")
    return "".join(
        _block(metric, samples[metric.name]) for metric in METRICS if metric.name in samples
    )


def collect(config: Settings, now: datetime) -> Iterator[Sample]:
    """All samples, in no order: of the service, and of each plan with its name as a label."""
    yield "info", {"version": own_version()}, 1
    yield from _service()
    for one in plans.all_settings(config):
        for name, labels, value in _plan(one, now):
            yield name, {"plan": one.plan.plan, **labels}, value


def _plan(config: Settings, now: datetime) -> Iterator[Sample]:
    plan = config.plan.plan
    yield "schedule_enabled", {}, config.enabled
    yield "schedule_paused", {}, pauses.of(plan) is not None
    if due := next_of(config):
        yield "next_run_timestamp_seconds", {}, due.timestamp()
    for kind in Kind:
        yield from _runs(plan, kind)
    yield from _proofs(plan)
    yield from _queue(plan, now)
    yield from _bucket(plan)
    found = alerts(config, now) if plan == DEFAULT_PLAN else of_plan(config, now)
    for code in sorted({alert.code for alert in found}):
        yield "alerts", {"code": code}, 1


def _runs(plan: str, kind: Kind) -> Iterator[Sample]:
    ended = Job.objects.filter(plan=plan, kind=kind, finished_at__isnull=False)
    counted = ended.exclude(state=State.CANCELLED).order_by("-finished_at")
    latest, labels = counted.first(), {"kind": kind.value}
    if latest and latest.finished_at:
        yield "last_end_timestamp_seconds", labels, latest.finished_at.timestamp()
        yield "last_run_success", labels, latest.state == State.SUCCEEDED
    good = counted.filter(state=State.SUCCEEDED).first()
    if good and good.finished_at:
        yield "last_success_timestamp_seconds", labels, good.finished_at.timestamp()
        if good.started_at:
            taken = good.finished_at - good.started_at
            yield "last_duration_seconds", labels, taken.total_seconds()
        if kind == Kind.BACKUP:
            yield from _backup(good)


_RESULTS: Final = {
    "last_backup_size_bytes": "size",
    "last_backup_data_bytes": "dataSize",
    "last_backup_sent_bytes": "bytesSent",
    "last_backup_copied_bytes": "bytesCopied",
    "last_backup_files": "files",
    "last_downtime_seconds": "downtime",
}


def _backup(job: Job) -> Iterator[Sample]:
    yield "last_backup_warnings", {}, job.warning_count
    for name, key in _RESULTS.items():
        if isinstance(job.result.get(key), int | float):
            yield name, {}, job.result[key]


def _proofs(plan: str) -> Iterator[Sample]:
    known = records(plan)
    for kind in (Kind.VERIFY, Kind.DRILL):
        if proof := last(known, kind):
            yield "last_proof_timestamp_seconds", {"kind": kind.value}, proof.at.timestamp()


def _queue(plan: str, now: datetime) -> Iterator[Sample]:
    jobs = Job.objects.filter(plan=plan)
    for row in jobs.order_by().values("kind", "state").annotate(count=Count("pk")):
        yield "jobs", {"kind": row["kind"], "state": row["state"].lower()}, row["count"]
    running = jobs.filter(state=State.RUNNING).first()
    for kind in Kind:
        yield "job_running", {"kind": kind.value}, bool(running and running.kind == kind)
    if running and running.lease_until:
        yield "lease_seconds", {}, (running.lease_until - now).total_seconds()
    waiting = jobs.filter(state=State.PENDING).order_by("created_at")
    oldest = waiting.first()
    yield "queue_waiting", {}, waiting.count()
    yield "queue_oldest_seconds", {}, (now - oldest.created_at).total_seconds() if oldest else 0
    yield "instances_down", {}, jobs.filter(instances_down=True).count()


def _bucket(plan: str) -> Iterator[Sample]:
    seen = BucketSummary.objects.filter(plan=plan).first()
    if seen:
        yield "bucket_backups", {}, seen.backups
        yield "bucket_bytes", {}, seen.total_bytes
        yield "bucket_looked_timestamp_seconds", {}, seen.looked_at.timestamp()


def _service() -> Iterator[Sample]:
    for host, part in hosts.wanted_parts():
        alive = PartSeen.objects.alive().filter(host=host, part=part).count()
        yield "parts_alive", {"part": part.value, "host": host}, alive
    for row in PartSeen.objects.filter(stopped=False):
        labels = {"part": row.part, "host": row.host, "name": row.name, "machine": row.machine[:8]}
        yield "part_seen_timestamp_seconds", labels, row.seen_at.timestamp()
    for kept in NoticeState:
        count = Notice.objects.filter(state=kept).count()
        yield "notices", {"state": kept.value.lower()}, count


def _block(metric: Metric, lines: list[str]) -> str:
    name = f"{PREFIX}{metric.name}"
    head = [f"# HELP {name} {metric.about}", f"# TYPE {name} {metric.type}"]
    return "\n".join([*head, *lines]) + "\n"


def _labels(labels: Labels) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
