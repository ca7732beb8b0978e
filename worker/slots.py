"""Which scheduled backups are due. Pure database work: the tick may run twice, or late."""

from __future__ import annotations

import logging
from datetime import datetime

from backups_app import services
from backups_app.models import ScheduleClock, Trigger
from worker.engine import schedule
from worker.engine.errors import EngineError
from worker.engine.settings import Settings

log = logging.getLogger(__name__)


def run_due(settings: Settings, now: datetime) -> None:
    """Queue the newest slot that is due; record older ones as missed.

    1. The clock says up to when slots were dealt with; a changed line starts it anew.
    2. The newest due slot runs now, however late; one catch-up replaces all that were missed.
    3. While another job is active nothing is moved on: the next tick tries again.
    4. A slot is unique in the database: a second tick that comes first leaves nothing to do.
    """
    plan = settings.plan.plan
    if not settings.enabled:
        ScheduleClock.objects.filter(plan=plan).delete()
        return
    clock = _clock(settings, now)
    due = schedule.slots_between(clock.line, clock.zone, clock.until, now)
    if due and _start(due[-1]):
        if due[:-1]:
            _record_missed(due[:-1])
        ScheduleClock.objects.filter(plan=plan, until__lt=due[-1]).update(until=due[-1])


def _clock(settings: Settings, now: datetime) -> ScheduleClock:
    line, zone = settings.schedule, settings.timezone
    found = ScheduleClock.objects.filter(plan=settings.plan.plan, line=line, zone=zone).first()
    if found:
        return found
    begun = {"line": line, "zone": zone, "until": now}
    return ScheduleClock.objects.update_or_create(plan=settings.plan.plan, defaults=begun)[0]


def _start(slot: datetime) -> bool:
    """True when the slot is dealt with: queued, recorded, or known already."""
    try:
        services.start_backup(trigger=Trigger.SCHEDULE, requested_by="schedule", slot=slot)
    except services.JobActive:
        return False
    except services.SlotTaken:
        return True
    except EngineError as error:
        services.record_unrun(slot, error)
    return True


def _record_missed(slots: list[datetime]) -> None:
    """One row for all of them: a minutely schedule and a week's holiday are 10,000 slots."""
    count = "One scheduled backup was" if len(slots) == 1 else f"{len(slots)} backups were"
    span = f"{slots[0]:%Y-%m-%d %H:%M} to {slots[-1]:%Y-%m-%d %H:%M} UTC"
    hint = "Tarkeep was not running, or another job was; one backup is made now instead."
    services.record_unrun(
        slots[-1], EngineError(f"{count} missed ({span})", hint=hint, code="SLOT_MISSED")
    )
    log.warning("%s missed (%s)", count, span)
