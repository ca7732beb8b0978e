"""Alerts about what has not happened in time: backups, verifications, drills; and a pause."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import models
from django.db.models.functions import Now

from backups_app import pauses
from backups_app.alerts.alert import Alert
from backups_app.models import Job, Kind, ScheduleClock, SchedulePause
from backups_app.states import State
from worker.engine import schedule
from worker.engine.settings import Settings


class _Late(NamedTuple):
    code: str
    kind: Kind
    line: str
    grace: timedelta
    what: str
    hint: str


A_DAY: Final = timedelta(days=1)


def found(settings: Settings, now: datetime) -> Iterator[Alert]:
    """Nothing is late while the schedule is off or paused; a pause is told all the same."""
    if not settings.enabled:
        return
    if pause := pauses.of(settings.plan.plan):
        yield _paused(pause)
        return
    for late in _all(settings):
        if due := _overdue(settings, late, now):
            at = f"{due:%Y-%m-%d %H:%M} UTC"
            message = f"No {late.what} has succeeded since the one that was due on {at}"
            yield Alert(late.code, message, late.hint, at=due)


def _all(settings: Settings) -> Iterator[_Late]:
    """A check waits for backups and has a day; before the first backup there is none to make."""
    grace = timedelta(minutes=settings.notify.overdue_minutes + settings.jitter_minutes)
    look = "Look at the last jobs, and whether worker, control and beat run."
    yield _Late("OVERDUE", Kind.BACKUP, settings.schedule, grace, "backup", look)
    for code, kind, line, what in (
        ("VERIFY_OVERDUE", Kind.VERIFY, settings.verify_schedule, "verification"),
        ("DRILL_OVERDUE", Kind.DRILL, settings.drill_schedule, "drill"),
    ):
        if line and _made(settings, Kind.BACKUP).filter(state=State.SUCCEEDED).exists():
            yield _Late(code, kind, line, max(grace, A_DAY), what, look)


def _overdue(settings: Settings, late: _Late, now: datetime) -> datetime | None:
    """The slot that has come since the last success, once its grace is over. Not while it runs.

    What lies in the future was written by a clock that was wrong, and tells nothing.
    """
    clock = ScheduleClock.objects.filter(plan=settings.plan.plan, kind=late.kind).first()
    if clock is None:
        return None
    made = _made(settings, late.kind)
    success = made.filter(state=State.SUCCEEDED, started_at__lte=now)
    last = success.order_by("-started_at").first()
    begun = [clock.since or clock.until, last.started_at if last else None]
    counted = max((at for at in begun if at and at <= now), default=now)
    due = schedule.next_run(late.line, settings.timezone, counted)
    running = made.filter(state=State.RUNNING, lease_until__gt=Now())
    return due if now >= due + late.grace and not running.exists() else None


def _made(settings: Settings, kind: Kind) -> models.QuerySet[Job]:
    return Job.objects.filter(plan=settings.plan.plan, kind=kind)


def _paused(pause: SchedulePause) -> Alert:
    by = f" by {pause.by}" if pause.by else ""
    until = f" until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else ""
    message = f"The schedule is paused{by} since {pause.since:%Y-%m-%d %H:%M} UTC{until}"
    hint = "Nothing is made by itself meanwhile. Resume it on the dashboard or over the API."
    return Alert("PAUSED", message, hint, at=pause.since)
