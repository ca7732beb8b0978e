"""What beat ticks: the schedule, hints sent again, lost jobs. All of it may run twice, and none
of it waits for a bucket: see `chores.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial, wraps
from typing import Final

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from backups_app import hosts, keeping, notices, plans, schema, summary
from worker import copies, dispatch, elsewhere, reaper, runs, slots, ticking
from worker.app import app
from worker.chores import chores
from worker.engine.errors import EngineError
from worker.engine.settings import Settings

log = logging.getLogger(__name__)

TICK_LIMIT: Final = 60


def _fitting(tick: Callable[..., None]) -> Callable[..., None]:
    """Nothing is done to a database of another version; alert SCHEMA_MISMATCH tells of it."""

    @wraps(tick)
    def run(*args: bool, **kwargs: bool) -> None:
        if wrong := schema.mismatch():
            log.error("%s waits: %s", tick.__name__, wrong)
            ticking.CONTROL.leave()
        else:
            tick(*args, **kwargs)

    return run


@app.task(name="tarkeep.schedule_tick", time_limit=TICK_LIMIT)
@_fitting
def schedule_tick() -> None:
    """Queue what is due, of each plan by itself."""
    for plan in plans.all_settings() if hosts.holds(settings.TARKEEP) else ():
        try:
            slots.run_due(plan, timezone.now())
        except (EngineError, DatabaseError):
            log.exception("The schedule of plan %s waits for the next tick", plan.plan.plan)
    ticking.CONTROL.leave()


@app.task(name="tarkeep.dispatch_tick", time_limit=TICK_LIMIT)
@_fitting
def dispatch_tick() -> None:
    """Send hints again for jobs that still wait: theirs may have been lost with Redis."""
    dispatch.resend()


@app.task(name="tarkeep.notices_tick", time_limit=TICK_LIMIT)
@_fitting
def notices_tick() -> None:
    """Forget notices that have had their time; tell of the week when it is over."""
    notices.forget_old()
    for plan in plans.all_settings():
        summary.tell(plan, timezone.now())


@app.task(name="tarkeep.bucket_tick", time_limit=TICK_LIMIT)
@_fitting
def bucket_tick() -> None:
    """See whether the newest backup of each plan is still what and where it was."""
    chores.begin("bucket", _look_at_buckets)


def _look_at_buckets() -> None:
    for plan in plans.all_settings():
        if not plan.problems:
            runs.look_again(plan.plan.plan)


# What follows is done by each machine for its own plans: beat tells the main machine, which
# passes it on to the others.


@app.task(name="tarkeep.reaper_tick", time_limit=TICK_LIMIT)
@_fitting
def reaper_tick(passed_on: bool = False) -> None:
    """Look for jobs whose worker is gone."""
    elsewhere.pass_on("reaper_tick", passed_on=passed_on)
    chores.begin("reaper", partial(reaper.reap, settings.TARKEEP))


@app.task(name="tarkeep.copies_tick", time_limit=TICK_LIMIT)
@_fitting
def copies_tick(passed_on: bool = False) -> None:
    """Remove safety copies that have had their time."""
    elsewhere.pass_on("copies_tick", passed_on=passed_on)
    chores.begin("copies", _expire_copies)


def _expire_copies() -> None:
    for plan in _own_plans():
        copies.expire_old(plan, timezone.now())


@app.task(name="tarkeep.janitor_tick", time_limit=TICK_LIMIT)
@_fitting
def janitor_tick(passed_on: bool = False) -> None:
    """Clear away what runs that died have left in the bucket."""
    elsewhere.pass_on("janitor_tick", passed_on=passed_on)
    chores.begin("janitor", _tidy_all)


def _tidy_all() -> None:
    for plan in _own_plans():
        if not plan.problems:
            _tidy(plan)


def _tidy(plan: Settings) -> None:
    try:
        keeping.tidy(plan, now=timezone.now())
    except EngineError as error:
        log.warning("Tidying up waits for the next round: %s", error.message)


def _own_plans() -> list[Settings]:
    return list(plans.served()) if hosts.holds(settings.TARKEEP) else []
