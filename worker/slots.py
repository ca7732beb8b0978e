"""Which scheduled jobs are due. Pure database work: the tick may run twice, or late."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final

from django.conf import settings as django_settings

from backups_app import pauses, services
from backups_app.models import Job, Kind, ScheduleClock
from backups_app.states import State
from worker.engine import schedule
from worker.engine.errors import EngineError
from worker.engine.settings import Settings

log = logging.getLogger(__name__)

IN_TIME: Final = timedelta(minutes=5)
OLDEST: Final = timedelta(days=366)  # a clock that was never set says 1970


def run_due(settings: Settings, now: datetime) -> None:
    """Queue the newest slot of each kind that is due; record older ones of backups as missed.

    1. The clock says up to when slots were dealt with; a changed line starts it anew.
    2. The newest due slot runs now, unless it is later than BACKUP_CATCHUP_HOURS; one catch-up
       replaces all that were missed.
    3. While another job is active nothing is moved on: the next tick tries again. A backup that
       waits so lets no check go first.
    4. A slot is unique in the database: a second tick that comes first leaves nothing to do.
    5. When the machine's clock was ahead, and is not any more, counting begins anew: a slot that
       had its run then is known by its row.
    6. While the schedule is paused, slots pass by: they are neither made nor missed.
    """
    if pauses.of(settings.plan.plan):
        _pass_by(settings, now)
        return
    for kind, line in _lines(settings).items():
        if not line:
            ScheduleClock.objects.filter(plan=settings.plan.plan, kind=kind).delete()
        elif not _run_due(settings, kind, line, now):
            return


def _pass_by(settings: Settings, now: datetime) -> None:
    """Afterwards it is as if the schedule had been turned on just now."""
    clocks = ScheduleClock.objects.filter(plan=settings.plan.plan, kind__in=Kind.values)
    clocks.update(until=now, since=now)


def _lines(settings: Settings) -> dict[Kind, str]:
    """What is due first comes first."""
    lines = {
        Kind.BACKUP: settings.schedule,
        Kind.VERIFY: settings.verify_schedule,
        Kind.DRILL: settings.drill_schedule,
    }
    return {kind: line if settings.enabled else "" for kind, line in lines.items()}


def _run_due(settings: Settings, kind: Kind, line: str, now: datetime) -> bool:
    """False when a slot is due that has to wait."""
    clock = _clock(settings, kind, line, now)
    since = max(clock.until, now - OLDEST)
    slots = schedule.slots_between(clock.line, clock.zone, since, now)
    due = list(takewhile(lambda slot: slot + _jitter(settings, slot) <= now, slots))
    if not due:
        return True
    late = kind == Kind.BACKUP and _too_late(settings, due[-1], now)
    if not late and not _start(settings, kind, due[-1]):
        return False
    missed = due if late else due[:-1]
    if missed and kind == Kind.BACKUP:
        _record_missed(settings, missed)
    ScheduleClock.objects.filter(pk=clock.pk, until__lt=due[-1]).update(until=due[-1])
    return True


def _jitter(settings: Settings, slot: datetime) -> timedelta:
    """How much later the slot's run begins: always the same for it, and another elsewhere."""
    seed = f"{django_settings.SECRET_KEY} {settings.plan.plan} {slot.isoformat()}"
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8])
    return timedelta(seconds=number % (settings.jitter_minutes * 60 + 1))


def _too_late(settings: Settings, slot: datetime, now: datetime) -> bool:
    """A few minutes are never too late: ticks come four times a minute, but may be held up."""
    in_time = IN_TIME + timedelta(minutes=settings.jitter_minutes)
    return now - slot > max(timedelta(hours=settings.catchup_hours), in_time)


def _clock(settings: Settings, kind: Kind, line: str, now: datetime) -> ScheduleClock:
    which: dict[str, Any] = {"plan": settings.plan.plan, "kind": kind}
    zone = settings.timezone
    found = ScheduleClock.objects.filter(**which, line=line, zone=zone).first()
    if found and found.until <= now + IN_TIME:
        return found
    if found:
        log.warning("Slots up to %s were dealt with: the clock was wrong; begun anew", found.until)
    begun = {"line": line, "zone": zone, "until": now, "since": now}
    return ScheduleClock.objects.update_or_create(**which, defaults=begun)[0]


def _start(settings: Settings, kind: Kind, slot: datetime) -> bool:
    """True when the slot is dealt with: queued, recorded, known already, or without a purpose."""
    if kind != Kind.BACKUP and not _has_backup(settings):
        return True
    try:
        services.start_slot(kind, slot, settings.plan.plan)
    except services.JobActive:
        return False
    except services.SlotTaken:
        return True
    except EngineError as error:
        services.record_unrun(kind, slot, error, settings=settings)
    return True


def _has_backup(settings: Settings) -> bool:
    """Whether there is anything that a check could read, as far as the history knows."""
    made = Job.objects.filter(plan=settings.plan.plan, kind=Kind.BACKUP, state=State.SUCCEEDED)
    return made.exists()


def _record_missed(settings: Settings, slots: list[datetime]) -> None:
    """One row for all of them: a minutely schedule and a week's holiday are 10,000 slots."""
    count = "One scheduled backup was" if len(slots) == 1 else f"{len(slots)} backups were"
    span = f"{slots[0]:%Y-%m-%d %H:%M} to {slots[-1]:%Y-%m-%d %H:%M} UTC"
    hint = "Tarkeep was not running, or another job was. BACKUP_CATCHUP_HOURS says how late one"
    hint += " backup is made instead."
    error = EngineError(f"{count} missed ({span})", hint=hint, code="SLOT_MISSED")
    missed = {"missed": len(slots), "first": slots[0].isoformat(), "last": slots[-1].isoformat()}
    services.record_unrun(Kind.BACKUP, slots[-1], error, settings=settings, result=missed)
    log.warning("%s missed (%s)", count, span)
