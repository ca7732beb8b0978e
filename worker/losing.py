"""Jobs whose worker is gone become LOST, and what they have stopped may be started again."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from django.db import models
from django.db.models import Value
from django.db.models.functions import Now

from backups_app import events
from backups_app.models import REPLACING, Job
from backups_app.models.job_query import BURIED_WITHIN
from backups_app.states import State
from backups_app.story import telling
from worker import settled
from worker.engine.errors import EngineError
from worker.engine.instances.recorded import still_stopped
from worker.engine.settings import Settings
from worker.engine.swap.swap import finish_interrupted
from worker.ownership import has_died

log = logging.getLogger(__name__)

EXPIRED: Final = {
    "error_code": "LEASE_LOST",
    "error_message": "The worker that ran this job is gone",
    "error_hint": "A backup is tried again by itself, at most three times.",
}


def lose_expired() -> None:
    """Declare jobs LOST whose lease has run out."""
    for job in Job.objects.expired():
        if job.lose(**EXPIRED):
            log.error("Job %s is lost: its worker is gone", job.pk)
            events.announce(job.pk)


def lose_dead(host: str) -> None:
    """Declare jobs of this machine LOST whose process is gone: that can be seen here, and nobody
    has to wait for the lease. Call it only where `hosts.holds`."""
    for job in Job.objects.filter(state=State.RUNNING, host=host):
        if has_died(job.owner) and job.finish(State.LOST, **EXPIRED):
            log.error("Job %s is lost: its process has died", job.pk)
            events.announce(job.pk)


def unburied(plans: Iterable[str]) -> models.QuerySet[Job]:
    """Lost jobs of the plans that were not cleaned up after; for a month."""
    a_month_ago = Now() - Value(BURIED_WITHIN)
    return Job.objects.unburied().filter(plan__in=plans, finished_at__gt=a_month_ago)


def release(known: Mapping[str, Settings]) -> None:
    """Let the instances of lost jobs of those plans be started. Trouble with one job costs the
    others nothing.

    A swap that broke off is settled first: they must not start on a folder in between.
    """
    for job in unburied(known):
        with telling(job.pk):
            is_down = not job.instances_down and still_stopped(job.effects)
            if _is_settled(job, known[job.plan]) and is_down:
                job.update(instances_down=True)


def _is_settled(job: Job, settings: Settings) -> bool:
    try:
        if job.kind in REPLACING:
            outcome = finish_interrupted(settings.plan.data_dir)
            log.info("Interrupted swap: %s", outcome)
            settled.tell(job, outcome)
    except EngineError as error:
        log.warning("The swap waits for the next round: %s", error.message)
        settled.remember(job.plan, error)
        return False
    except Exception:
        log.exception("Settling the swap broke, and waits for the next round")
        return False
    return True
