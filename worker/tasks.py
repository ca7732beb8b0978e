"""The one task there is: claim the job, call the engine, record what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import sleep
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from backups_app import current, events, hosts, logbook, plans, schema
from backups_app.breaker import Breaker
from backups_app.models import Job, Kind
from backups_app.states import State
from backups_app.story import telling
from worker import drain, restarting, runs
from worker.app import TRANSPORT, app, queue_of
from worker.engine.config import HOME
from worker.engine.errors import EngineError, JobStopped
from worker.guard import PATIENCE, Guard
from worker.ownership import owner
from worker.reporting import JobProgress, lost

log = logging.getLogger(__name__)

# A publisher gives up at once: the dispatch tick sends the hint again, and a request that
# waits for a dead Redis helps nobody.
PUBLISHING: Final = {
    **TRANSPORT,
    "max_retries": 0,
    "socket_connect_timeout": 1,
    "socket_timeout": 2,
}

RUN_JOB: Final = "tarkeep.run_job"
RECORD_ATTEMPTS: Final = 20
RECORD_PAUSE: Final = 3.0
RECORD_LIMIT: Final = 300.0

hints = Breaker("Sending a hint")


def send_hint(job_id: str, host: str = HOME) -> bool:
    """Tell a worker of that machine that a job waits. False when it could not be told; the row
    still waits."""
    return hints.call(partial(_send_hint, job_id, queue_of("backup", host)))


def _send_hint(job_id: str, queue: str) -> None:
    with app.connection_for_write(transport_options=PUBLISHING) as connection:
        app.send_task(RUN_JOB, (job_id,), queue=queue, retry=False, connection=connection)


@app.task(name=RUN_JOB)
def run_job(job_id: str) -> None:
    """Run a waiting job. Safe to be called twice: the second time nothing is to be claimed.

    While the database is of another version the job waits for a worker that fits.
    """
    if wrong := schema.mismatch():
        log.error("Job %s waits: %s", job_id, wrong)
        return
    if not hosts.holds(settings.TARKEEP):
        return
    current.refresh()
    job = Job.objects.claim(
        job_id, owner=owner(), host=settings.TARKEEP.host, at_most=settings.TARKEEP.max_running
    )
    if job is None:
        return
    with telling(job.pk, every_thread=True), logbook.kept(job) as book, drain.on_term():
        log.info("%s begins, attempt %d, asked by %s", job.kind, job.attempt, job.trigger)
        events.publish(job.pk)
        _run(job, book)


def _run(job: Job, book: logbook.Book) -> None:
    stall = settings.TARKEEP.stall_minutes * 60
    patience = min(PATIENCE, stall)
    with JobProgress(job, book=book, stalled_after=stall, patience=patience) as progress:
        state, fields = _outcome(job, progress)
    unrecorded = JobStopped("The end of the run could not be written down", code="LEASE_LOST")
    with Guard(job, lambda: unrecorded, patience=RECORD_LIMIT):
        _record(job, state, {**progress.counters.fields(ended=True), **fields})


def _outcome(job: Job, progress: JobProgress) -> tuple[State, dict[str, Any]]:
    """The state to end in, and the fields that say why."""
    try:
        plan = plans.settings_of(job.plan)
        return State.SUCCEEDED, runs.run(job, plan, progress, now=datetime.now(UTC))
    except JobStopped as stop:
        return _stopped(stop), _error(stop)
    except EngineError as error:
        return State.FAILED, {**_error(error), "passing": error.passing}
    except (OperationalError, InterfaceError):
        log.exception("The database was away")
        return State.LOST, _error(lost())
    except Exception:
        log.exception("The run broke")
        return State.FAILED, _error(_broken())


def _record(job: Job, state: State, fields: dict[str, Any]) -> None:
    """Write the end down. A lost job is cleaned up and tried again by the reaper."""
    if not _patiently(partial(_finish, job, state, fields)):
        log.error("The run has ended, but the job was no longer its own: nothing recorded")
        return
    log.info("%s %s", state, fields.get("error_message", ""))
    if job.kind == Kind.BACKUP and state == State.SUCCEEDED:
        runs.look_again(job.plan)
    events.publish(job.pk)


def _finish(job: Job, state: State, fields: dict[str, Any]) -> bool:
    """The instances of a lost run are for the reaper: its swap may have to be settled first."""
    down = state != State.LOST and restarting.left_stopped(job.pk)
    return job.finish(state, instances_down=down, **fields)


def _patiently(write: Callable[[], bool]) -> bool:
    """A database that is restarting must not cost us the news of a finished backup."""
    for attempt in range(1, RECORD_ATTEMPTS + 1):
        try:
            return write()
        except DatabaseError as error:
            log.warning("The end could not be written down: %s", type(error).__name__)
            connection.close()
            if attempt == RECORD_ATTEMPTS:
                raise
            sleep(RECORD_PAUSE)
    return False


def _stopped(stop: JobStopped) -> State:
    """What was not the user's wish is LOST, and is tried again where that is safe."""
    return State.CANCELLED if stop.code == "CANCELLED" else State.LOST


def _error(error: EngineError) -> dict[str, str]:
    return {f"error_{name}": text for name, text in error.as_dict().items()}


def _broken() -> EngineError:
    hint = "This is a fault in Tarkeep: logs/app.log has the details, please report them."
    return EngineError("The run broke unexpectedly", hint=hint, code="INTERNAL_ERROR")
