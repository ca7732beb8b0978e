"""What beat ticks: the schedule, hints sent again, lost jobs. All of it may run twice."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.utils import timezone

from worker import dispatch, reaper, slots
from worker.app import app

TICK_LIMIT: Final = 60
CLEANING_LIMIT: Final = 600


@app.task(name="tarkeep.schedule_tick", time_limit=TICK_LIMIT)
def schedule_tick() -> None:
    """Queue the scheduled backup that is due, if one is."""
    slots.run_due(settings.TARKEEP, timezone.now())


@app.task(name="tarkeep.dispatch_tick", time_limit=TICK_LIMIT)
def dispatch_tick() -> None:
    """Send hints again for jobs that still wait: theirs may have been lost with Redis."""
    dispatch.resend()


@app.task(name="tarkeep.reaper_tick", time_limit=CLEANING_LIMIT)
def reaper_tick() -> None:
    """Look for jobs whose worker is gone."""
    reaper.reap(settings.TARKEEP)
