"""Celery's processes say that they live, and a worker passes SIGTERM on as the wish to drain.

A worker that runs jobs also looks into the database for jobs that wait, so that a lost hint only
delays, even with beat and the control worker gone, and for jobs whose process has died. A control
worker starts what dead runs have left stopped, even with beat and Redis gone.
"""

from __future__ import annotations

from functools import partial
from threading import Event
from typing import Any

from celery.signals import beat_init, celeryd_after_setup, worker_ready, worker_shutting_down
from django.conf import settings

from backups_app import doctoring, hosts, plans
from backups_app.models import Part
from backups_app.watcher import Watcher, own_name
from worker import dispatch, drain, losing, reaper, ticking
from worker.app import CONTROL, JOBS

_QUEUES = {JOBS: Part.WORKER, CONTROL: Part.CONTROL}
_watchers: list[Watcher] = []
_ready = Event()


@celeryd_after_setup.connect
def begin(sender: str, instance: Any, **_: Any) -> None:
    """Start this worker's pulse, before it has reached Redis: what it looks after cannot wait."""
    queues = instance.app.amqp.queues.consume_from
    parts = [part for queue, part in _QUEUES.items() if queue in queues]
    _start(Watcher(sender, partial(_alive, parts), partial(_look_after, parts)))


@worker_ready.connect
def mark_ready(**_: Any) -> None:
    """From now on it counts as alive."""
    _ready.set()
    for watcher in _watchers:
        watcher.hurry()


def _alive(parts: list[Part]) -> list[Part]:
    """Control is alive while the schedule is looked at: its loop may hang, or nothing reach it.

    Other machines' control has no schedule, and must be seen to be told anything at all.
    """
    if not _ready.is_set():
        return []
    if not hosts.is_home(settings.TARKEEP):
        return parts
    return [part for part in parts if part != Part.CONTROL or ticking.CONTROL.is_fresh()]


def _look_after(parts: list[Part]) -> None:
    if Part.CONTROL in parts:
        reaper.rescue(settings.TARKEEP)
    if Part.WORKER in parts and hosts.holds(settings.TARKEEP):
        losing.lose_dead(settings.TARKEEP.host)
        dispatch.resend()
        for plan in plans.served():
            doctoring.take_up(plan.plan.plan)


@beat_init.connect
def begin_beat(**_: Any) -> None:
    """Beat is alive while it ticks: one that hangs in its connection to Redis is not."""
    ticks = ticking.BEAT.is_fresh
    _start(Watcher(own_name(Part.BEAT), lambda: [Part.BEAT] if ticks() else []))


@worker_shutting_down.connect
def end(**_: Any) -> None:
    """SIGTERM or SIGINT: running jobs stop at their next segment."""
    drain.request()
    for watcher in _watchers:
        watcher.stop()


def _start(watcher: Watcher) -> None:
    _watchers.append(watcher)
    watcher.start()
