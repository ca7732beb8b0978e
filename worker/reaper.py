"""Bury jobs whose worker is gone: clean up what they had begun, and run them again where safe.

In steps, so that a reaper that dies in between is followed by one that goes on: expired jobs
become LOST; what runs have left stopped is started; LOST jobs that were not cleaned up are
cleaned up, and then tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Now

from backups_app import hosts, plans, services
from backups_app.attempts import next_attempt, pause
from backups_app.models import Job, Kind
from backups_app.states import State
from backups_app.story import telling
from worker import losing, restarting
from worker.engine import hooks
from worker.engine.errors import EngineError
from worker.engine.instances.recorded import untried
from worker.engine.progress import Progress
from worker.engine.scratch import clear, left_by
from worker.engine.settings import Settings
from worker.engine.storage.s3 import BRIEF, open_storage
from worker.engine.swap.swap import finish_interrupted
from worker.unfinished import uploads

log = logging.getLogger(__name__)


def reap(settings: Settings) -> None:
    """Declare expired jobs LOST, start what runs have left stopped, clean up after LOST ones.

    Jobs of all machines can be declared lost; the rest is done by the one that has the data.
    Cleaning up is given up after a month, starting instances never. Trouble with one job costs
    the others nothing.
    """
    known = _lose(settings)
    restarting.rounds.go_on(known)
    for job in losing.unburied(known).filter(host=settings.host):
        _guarded(_bury, job, known[job.plan])


def rescue(settings: Settings) -> None:
    """The part of it that cannot wait, without waiting for it: the control worker's own pulse
    does this too, so that neither Redis nor beat nor a busy queue keeps an instance stopped."""
    restarting.rounds.go_on(_lose(settings), patience=0)


def _lose(settings: Settings) -> dict[str, Settings]:
    """Find the dead. By their names, the plans whose data this machine has."""
    losing.lose_expired()
    if not hosts.holds(settings):
        return {}
    losing.lose_dead(settings.host)
    return {one.plan.plan: one for one in plans.served(settings)}


def _guarded(step: Callable[[Job, Settings], bool], job: Job, settings: Settings) -> bool:
    """What `step` says; False when it broke."""
    with telling(job.pk):
        try:
            return step(job, settings)
        except EngineError as error:
            log.warning("Cleaning up waits for the next round: %s", error.message)
        except Exception:
            log.exception("Cleaning up broke, and waits for the next round")
    return False


def _bury(job: Job, settings: Settings) -> bool:
    """Not before each of its instances had its turn; one that does not start holds up nothing."""
    job.refresh_from_db()
    if untried(job.effects):
        return False
    _clean_up(job, settings)
    with transaction.atomic():
        if Job.objects.filter(pk=job.pk, cleaned_up=False).update(cleaned_up=True):
            _retry(job)
    # Hints that came meanwhile were in vain: the next tick sends them again.
    Job.objects.filter(plan=job.plan, state=State.PENDING).update(dispatched_at=None)
    return True


class _Burial(Progress):
    """Writes down for a dead job what is done in its stead."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def record(self, effect: str, **details: Any) -> None:
        with transaction.atomic():
            job = Job.objects.select_for_update().get(pk=self._job.pk)
            job.update(effects=[*job.effects, {"effect": effect, **details}])


def _clean_up(job: Job, settings: Settings) -> None:
    """Undo what the job wrote down before it did it."""
    for folder in left_by(job.effects):
        clear(folder)
    if hooks.left_open(job.effects):
        hooks.after(
            settings.plan.hooks,
            _Burial(job),
            job_id=str(job.pk),
            phase="failed",
            result="LEASE_LOST",
        )
    # The next attempt goes on with the upload, or aborts it.
    for key, upload_id in () if next_attempt(job) else uploads(job):
        open_storage(settings.storage, patience=BRIEF).abort_upload(key, upload_id)
    finish_interrupted(settings.plan.data_dir)  # a safety copy may be half removed


def _retry(job: Job) -> None:
    attempt = next_attempt(job)
    if attempt and not _made_up_for(job):
        services.retry(job, not_before=Now() + Value(pause(job)), attempt=attempt)


def _made_up_for(job: Job) -> bool:
    """Whether a later run has done what this one was to do: the machine may have been off."""
    later = Job.objects.filter(plan=job.plan, kind=job.kind, created_at__gt=job.created_at)
    return job.kind == Kind.BACKUP and later.filter(state=State.SUCCEEDED).exists()
