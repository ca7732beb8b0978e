"""The history as curves and days: what the dashboard draws of many jobs, from few queries."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Count
from django.db.models.functions import TruncDate

from backups_app.models import Job, Kind
from backups_app.states import State

POINTS: Final = 500
MISSED: Final = "SLOT_MISSED"


@dataclass
class Day:
    """How many backups of a day ended how, and how many scheduled ones were never begun.

    A span of missed slots counts on each of its days, at least once.
    """

    date: date
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    missed: int = 0


@dataclass(frozen=True)
class Series:
    """Of backups that went well, oldest first: Unix seconds, seconds, bytes."""

    at: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    size: list[int | None] = field(default_factory=list)
    sent: list[int | None] = field(default_factory=list)


def days(plan: str, zone: ZoneInfo, now: datetime, count: int) -> list[Day]:
    """The last `count` days of that zone, oldest first, today the last."""
    last = now.astimezone(zone).date()
    found = {last - timedelta(days=back): Day(last - timedelta(days=back)) for back in range(count)}
    first = datetime.combine(min(found), datetime.min.time(), zone)
    jobs = Job.objects.filter(plan=plan, kind=Kind.BACKUP, created_at__gte=first)
    counted = jobs.exclude(error_code=MISSED).annotate(day=TruncDate("created_at", tzinfo=zone))
    for row in counted.order_by().values("day", "state").annotate(number=Count("pk")):
        name = _OUTCOME.get(row["state"])
        if name and row["day"] in found:
            setattr(found[row["day"]], name, getattr(found[row["day"]], name) + row["number"])
    for job in jobs.filter(error_code=MISSED).only("slot", "result"):
        for day, number in _missed(job, zone).items():
            if day in found:
                found[day].missed += number
    return sorted(found.values(), key=lambda one: one.date)


_OUTCOME: Final[dict[str, str]] = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.LOST: "failed",
    State.CANCELLED: "cancelled",
}


def _missed(job: Job, zone: ZoneInfo) -> dict[date, int]:
    """The slots that one row stands for, spread over the days from the first to the last."""
    told = job.result or {}
    ends = [told.get("first"), told.get("last")]
    times = [datetime.fromisoformat(end) for end in ends if end] or [job.slot or job.created_at]
    first, last = (at.astimezone(zone).date() for at in (times[0], times[-1]))
    span = [first + timedelta(days=day) for day in range((last - first).days + 1)]
    shares: dict[date, int] = defaultdict(lambda: 1)
    shares |= {day: max(1, told.get("missed", 1) // len(span)) for day in span}
    return shares


def series(plan: str, since: datetime) -> Series:
    """Duration and size of the backups since then: the newest `POINTS`."""
    made = Job.objects.filter(
        plan=plan, kind=Kind.BACKUP, state=State.SUCCEEDED, created_at__gte=since
    )
    drawn = Series()
    ran = made.filter(started_at__isnull=False, finished_at__isnull=False)
    rows = list(ran.values_list("started_at", "finished_at", "result")[:POINTS])
    for began, ended, result in reversed(rows):
        _add(drawn, began, ended, result or {})
    return drawn


def _add(drawn: Series, began: datetime, ended: datetime, result: dict[str, Any]) -> None:
    drawn.at.append(began.timestamp())
    drawn.seconds.append((ended - began).total_seconds())
    drawn.size.append(result.get("size"))
    drawn.sent.append(result.get("bytesSent"))
