"""How old the newest backup may be: as late as its own schedule allows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from worker.engine import schedule

BY_HAND: Final = timedelta(days=7, hours=12)  # while no schedule is on
LAPSES: Final = 3  # so many slots without a backup, and it is no longer merely late
LEAST: Final = timedelta(hours=36)  # but an hourly one is not lost after three hours

Freshness = Literal["good", "attention", "bad"]


def of(newest: datetime, now: datetime, line: str, zone: str, grace: timedelta) -> Freshness:
    """By how many slots of the cron `line` (empty: none) have come since `newest` was begun.

    `grace` is how much later than its slot a backup may be there.
    """
    age = now - newest
    if not line:
        return "good" if age < BY_HAND else "attention" if age < LAPSES * BY_HAND else "bad"
    slots = schedule.next_runs(line, zone, newest, count=LAPSES)
    if now < slots[0] + grace:
        return "good"
    return "bad" if now > slots[-1] + grace and age > LEAST else "attention"
