"""Whether a job is tried again, and when: one answer for who does it and for who tells it."""

from __future__ import annotations

from datetime import timedelta
from secrets import SystemRandom
from typing import Final

from backups_app.models import REPLACING, Job
from backups_app.models.job import MAX_ATTEMPTS, MAX_FAILURES
from backups_app.states import State

# After a death at once: it took a minute and a half to notice.
AFTER_DEATH: Final = (timedelta(0), timedelta(minutes=1))
AFTER_FAILURE: Final = (timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=45))
SPREAD: Final = 0.2  # so that many machines do not come back at the same moment
_random = SystemRandom()


def next_attempt(job: Job) -> int:
    """Its number, 0 for none. Drained jobs go on as they were; a backup or check whose worker
    died, at most thrice, one that failed for a passing reason once more.

    A restore or an undo is not tried again: its swap may be done, or people may have gone on.
    Nor is what somebody has cancelled.
    """
    if job.cancel_requested_at:
        return 0
    if was_drained(job):
        return job.attempt
    if job.kind in REPLACING:
        return 0
    most = {State.LOST: MAX_ATTEMPTS, State.FAILED: MAX_FAILURES if job.passing else 0}
    attempt = job.attempt + 1
    return attempt if attempt <= most.get(State(job.state), 0) else 0


def pause(job: Job) -> timedelta:
    """How long its next attempt is put off."""
    if was_drained(job):
        return timedelta()
    pauses = AFTER_DEATH if job.state == State.LOST else AFTER_FAILURE
    wait = pauses[min(job.attempt, len(pauses)) - 1]
    return wait * (1 + SPREAD * _random.random())


def was_drained(job: Job) -> bool:
    """Put back into the queue by a worker that was told to end: nothing went wrong."""
    return job.state == State.LOST and job.error_code == "DRAINED"
