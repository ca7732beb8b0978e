"""Bury jobs whose worker is gone: clean up what they had begun, and run them again where safe.

Two steps, so that a reaper that dies in between is followed by one that goes on: expired jobs
become LOST; LOST jobs that were not cleaned up are cleaned up, and then tried again.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Now

from backups_app import events, services
from backups_app.models import Job, Kind
from backups_app.models.job import MAX_ATTEMPTS
from backups_app.states import State
from backups_app.story import telling
from worker.engine import hooks
from worker.engine.errors import EngineError
from worker.engine.instances.drivers import open_drivers
from worker.engine.instances.recorded import restart_recorded
from worker.engine.progress import Progress
from worker.engine.settings import Settings
from worker.engine.storage.s3 import open_storage
from worker.engine.swap.swap import finish_interrupted

log = logging.getLogger(__name__)

BACKOFF: Final = timedelta(seconds=30)
EXPIRED: Final = {
    "error_code": "LEASE_LOST",
    "error_message": "The worker that ran this job is gone",
    "error_hint": "A backup is tried again by itself, at most three times.",
}


def reap(settings: Settings) -> None:
    """Declare expired jobs LOST, and clean up after LOST ones that still need it, for a day."""
    a_day_ago = Now() - Value(timedelta(days=1))
    for job in Job.objects.expired():
        if job.lose(**EXPIRED):
            log.error("Job %s is lost: its worker is gone", job.pk)
            events.announce(job.pk)
    for job in Job.objects.filter(state=State.LOST, cleaned_up=False, finished_at__gt=a_day_ago):
        with telling(job.pk):
            _bury(job, settings)


def _bury(job: Job, settings: Settings) -> None:
    try:
        _clean_up(job, settings)
    except EngineError as error:
        log.warning("Cleaning up waits for the next round: %s", error.message)
        return
    with transaction.atomic():
        if Job.objects.filter(pk=job.pk, cleaned_up=False).update(cleaned_up=True):
            _retry(job)


def _clean_up(job: Job, settings: Settings) -> None:
    """Undo or finish what the job wrote down before it did it; stopped instances come first.

    A swap that broke off is settled before them: they must not start on a folder in between.
    """
    if job.kind == Kind.RESTORE:
        log.info("Interrupted swap: %s", finish_interrupted(settings.plan.data_dir))
    drivers = open_drivers(settings.plan.instances)
    timeout = settings.plan.instances.policy.start_timeout
    for started in restart_recorded(job.effects, drivers, timeout=timeout):
        log.warning("Started again: %s", started)
    if hooks.left_open(job.effects):
        hooks.after(
            settings.plan.hooks, Progress(), job_id=str(job.pk), phase="failed", result="LEASE_LOST"
        )
    for effect in job.effects:
        if effect["effect"] == "upload":
            open_storage(settings.storage).abort_upload(effect["key"], effect["uploadId"])


def _retry(job: Job) -> None:
    """Drained jobs go on as they were; a backup or check whose worker died, at most thrice."""
    drained = job.error_code == "DRAINED"
    attempt = job.attempt if drained else job.attempt + 1
    safe = drained or job.kind != Kind.RESTORE
    if safe and attempt <= MAX_ATTEMPTS:
        pause = timedelta() if drained else BACKOFF * 2 ** (job.attempt - 1)
        services.retry(job, not_before=Now() + Value(pause), attempt=attempt)
