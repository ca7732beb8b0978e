"""The summary of a week: sent also when all is well, so that its absence tells something too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from backups_app import notices
from backups_app.alerts import alerts
from backups_app.models import BucketSummary, Job, Kind, ScheduleClock
from backups_app.news import News
from backups_app.proofs import last, records
from backups_app.states import State
from backups_app.status import next_of
from worker.engine import schedule
from worker.engine.config import DEFAULT_PLAN
from worker.engine.settings import Settings
from worker.engine.sizes import human_size

MONDAYS: Final = "0 9 * * 1"  # in the schedules' time zone
CLOCK: Final = "summary"
WEEK: Final = timedelta(days=7)


def tell(settings: Settings, now: datetime) -> None:
    """Post it once for each Monday, however often it is asked; not for the week of the start."""
    slot = schedule.next_run(MONDAYS, settings.timezone, now - WEEK)
    which = {"plan": settings.plan.plan, "kind": CLOCK}
    begun = {"line": MONDAYS, "zone": settings.timezone, "until": now}
    ScheduleClock.objects.get_or_create(**which, defaults=begun)
    with transaction.atomic():
        if ScheduleClock.objects.filter(**which, until__lt=slot).update(until=slot):
            notices.post(settings.notify, of_week(settings, now))


def of_week(settings: Settings, now: datetime) -> News:
    """What happened in the seven days before `now`, and how things stand."""
    plan = settings.plan.plan
    title = f"Tarkeep: the last week{'' if plan == DEFAULT_PLAN else f' of {plan}'}"
    lines = [*_made(plan, now), *_there(plan), *_proofs(plan), *_ahead(settings, now)]
    return News(("summary",), f"{plan} summary", f"summary {now:%Y-%m-%d}", title, "\n".join(lines))


def _made(plan: str, now: datetime) -> Iterator[str]:
    ended = Job.objects.filter(plan=plan, kind=Kind.BACKUP, finished_at__gt=now - WEEK)
    good = ended.filter(state=State.SUCCEEDED)
    failed = ended.filter(state__in=(State.FAILED, State.LOST))
    yield f"Backups made: {good.count()}, failed or missed: {failed.count()}."
    newest = good.order_by("-finished_at").first()
    if newest:
        size = human_size(newest.result.get("size") or 0)
        yield f"The last one: {newest.finished_at:%Y-%m-%d %H:%M} UTC, {size}."


def _there(plan: str) -> Iterator[str]:
    if seen := BucketSummary.objects.filter(plan=plan).first():
        yield f"In the bucket: {seen.backups} backups, {human_size(seen.total_bytes)}."


def _proofs(plan: str) -> Iterator[str]:
    known = records(plan)
    for what, kind in (("verification", Kind.VERIFY), ("drill", Kind.DRILL)):
        proof = last(known, kind)
        yield f"Last good {what}: {f'{proof.at:%Y-%m-%d %H:%M} UTC' if proof else 'none'}."


def _ahead(settings: Settings, now: datetime) -> Iterator[str]:
    due = next_of(settings)
    yield f"Next backup: {due:%Y-%m-%d %H:%M} UTC." if due else "The schedule is off, or paused."
    for alert in alerts(settings, now):
        yield f"Open: {alert.message}."
