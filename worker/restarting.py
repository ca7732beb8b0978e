"""Start again what runs have left stopped, until it runs: one instance after another.

One start may take minutes, and whoever calls has other things to do: so a round goes on in a
thread of its own. The caller finds one under way or begins the next, waits a little for its
end, and comes again. What came of each start is written down at once, so a round that is
killed halfway is followed by one that begins where it ended.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from threading import Lock, Thread
from typing import Final
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from backups_app import events
from backups_app.models import Job
from backups_app.states import State
from backups_app.story import telling
from worker import losing, settled
from worker.engine.config import PlanConfig
from worker.engine.errors import EngineError
from worker.engine.instances.drivers import open_drivers
from worker.engine.instances.recorded import Restart, restarts, still_stopped
from worker.engine.settings import Settings
from worker.engine.settling import settle

log = logging.getLogger(__name__)

PATIENCE: Final = 15.0
Known = Mapping[str, Settings]  # by the names of the plans whose data this machine has


def left_stopped(job_id: UUID) -> bool:
    """Whether the job, by what it has written down, leaves instances stopped."""
    return bool(still_stopped(Job.objects.get(pk=job_id).effects))


class Rounds:
    """At most one round at a time in this process."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._lock = Lock()

    def go_on(self, known: Known, *, patience: float = PATIENCE) -> None:
        """Have a round under way for those plans, and wait `patience` seconds for its end."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=_round, args=(known,), name="restarting", daemon=True)
                self._thread.start()
            thread = self._thread
        thread.join(patience)


rounds: Final = Rounds()


def _round(known: Known) -> None:
    """Each instance that is down is tried once."""
    try:
        losing.release(known)
        down = Job.objects.filter(instances_down=True, plan__in=known)
        for job in down.order_by("finished_at"):
            with telling(job.pk):
                _bring_up(job, known[job.plan])
        for settings in known.values():
            _settle(settings.plan)
    except DatabaseError as error:
        log.warning("Instances are started in the next round: %s", type(error).__name__)
    finally:
        connection.close()


def _settle(plan: PlanConfig) -> None:
    try:
        settle(plan)
        settled.remember(plan.plan, None)
    except EngineError as error:
        log.warning("What a run has left is settled in the next round: %s", error.message)
        settled.remember(plan.plan, error)


def _bring_up(job: Job, settings: Settings) -> None:
    config = settings.plan.instances
    tried = restarts(job.effects, open_drivers(config), timeout=config.policy.start_timeout)
    # A run that reads their data right now wants instances stopped; soon it will not.
    while not _is_capturing(job.plan) and (restart := next(tried, None)):
        _write_down(job.pk, restart)


def _write_down(job_id: UUID, restart: Restart) -> None:
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job_id)
        effects = restart.noted(job.effects)
        down = bool(still_stopped(effects))
        job.update(effects=effects, instances_down=down)
        events.announce(job_id)
    if restart.error is None:
        log.warning("Started again: %s %s", restart.driver, restart.id)


def _is_capturing(plan: str) -> bool:
    """Whether a run of the plan holds instances stopped right now, to read their data."""
    running = Job.objects.filter(plan=plan, state=State.RUNNING)
    return any(still_stopped(job.effects) for job in running)
