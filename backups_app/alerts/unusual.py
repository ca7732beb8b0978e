"""Alerts about a last backup that is far from what is usual: a hint, not a fault.

Half of the files gone, ten times the data read, hours instead of minutes: nothing of that makes
a backup fail, and each is worth a look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from backups_app.alerts.alert import Alert
from backups_app.models import Job, Kind
from backups_app.states import State
from worker.engine.sizes import human_size

LAST: Final = 10  # backups that say what is usual
FROM: Final = 5  # and fewer say nothing
FAR: Final = 3.0  # times as much, or as little
MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Measure:
    """`least`: a smaller difference means nothing. `alike`: only runs with a base count."""

    name: str
    value: Callable[[Job], float | None]
    least: float
    said: Callable[[float], str]
    alike: bool = False


def _result(key: str) -> Callable[[Job], float | None]:
    return lambda job: job.result.get(key)


def _seconds(job: Job) -> float | None:
    if not (job.started_at and job.finished_at):
        return None
    return (job.finished_at - job.started_at).total_seconds()


MEASURES: Final = (
    Measure("data", _result("dataSize"), 64 * MIB, human_size),
    Measure("files", _result("files"), 500, "{:.0f} files".format),
    Measure("changed data", _result("bytesRead"), 256 * MIB, human_size, alike=True),
    Measure("time", _seconds, 300, "{:.0f} seconds".format, alike=True),
)


def found(plan: str) -> Iterator[Alert]:
    """Of the newest backup alone: the next one that is as usual ends it."""
    made = Job.objects.filter(plan=plan, kind=Kind.BACKUP, state=State.SUCCEEDED)
    fields = ("result", "backup_key", "started_at", "finished_at")
    newest = made.order_by("-finished_at").only(*fields)[: LAST + 1]
    jobs = [job for job in newest if not job.result.get("unchanged")]  # those made nothing
    if len(jobs) > FROM:
        for measure in MEASURES:
            yield from _judged(measure, jobs[0], jobs[1:])


def _judged(measure: Measure, last: Job, before: list[Job]) -> Iterator[Alert]:
    if measure.alike and last.result.get("fullReason"):
        return
    alike = [job for job in before if not (measure.alike and job.result.get("fullReason"))]
    known = [value for job in alike if (value := measure.value(job)) is not None]
    value = measure.value(last)
    if value is None or len(known) < FROM:
        return
    usual = median(known)
    far = not usual / FAR <= value <= usual * FAR
    if far and abs(value - usual) >= measure.least:
        said = f"{measure.said(value)}, where {measure.said(usual)} is usual"
        yield Alert(
            "BACKUP_UNUSUAL",
            f"The last backup is unusual in its {measure.name}: {said}",
            "Look whether that is right: what came, went or changed since the backup before.",
            last.backup_key,
            subject=measure.name,
        )
