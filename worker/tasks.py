"""The one task there is: claim the job, call the engine, record what came of it."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import sleep
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection

from backups_app import events
from backups_app.breaker import Breaker
from backups_app.models import Job
from backups_app.states import State
from backups_app.story import telling
from worker import drain, runs
from worker.app import JOBS, TRANSPORT, app
from worker.engine.errors import EngineError, JobStopped
from worker.reporting import JobProgress

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

hints = Breaker("Sending a hint")


def send_hint(job_id: str) -> bool:
    """Tell a worker that a job waits. False when it could not be told; the row still waits."""
    return hints.call(partial(_send_hint, job_id))


def _send_hint(job_id: str) -> None:
    with app.connection_for_write(transport_options=PUBLISHING) as connection:
        app.send_task(RUN_JOB, (job_id,), queue=JOBS, retry=False, connection=connection)


def owner() -> str:
    """Who runs a job: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


@app.task(name=RUN_JOB)
def run_job(job_id: str) -> None:
    """Run a waiting job. Safe to be called twice: the second time nothing is to be claimed."""
    job = Job.objects.claim(job_id, owner=owner())
    if job is None:
        return
    with telling(job.pk), drain.on_term():
        log.info("%s begins, attempt %d, asked by %s", job.kind, job.attempt, job.trigger)
        events.publish(job.pk)
        _run(job)


def _run(job: Job) -> None:
    with JobProgress(job) as progress:
        state, fields = _outcome(job, progress)
    _record(job, state, {**progress.counters.fields(ended=True), **fields})


def _outcome(job: Job, progress: JobProgress) -> tuple[State, dict[str, Any]]:
    """The state to end in, and the fields that say why."""
    try:
        return State.SUCCEEDED, runs.run(job, settings.TARKEEP, progress, now=datetime.now(UTC))
    except JobStopped as stop:
        return _stopped(stop), _error(stop)
    except EngineError as error:
        return State.FAILED, _error(error)
    except Exception:
        log.exception("The run broke")
        return State.FAILED, _error(_broken())


def _record(job: Job, state: State, fields: dict[str, Any]) -> None:
    """Write the end down. A lost job is cleaned up and tried again by the reaper."""
    if not _patiently(partial(job.finish, state, **fields)):
        log.error("The run has ended, but the job was no longer its own: nothing recorded")
        return
    log.info("%s %s", state, fields.get("error_message", ""))
    events.publish(job.pk)


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
    """STALLED is a failure; a drained run and one that lost its lease are LOST."""
    if stop.code == "CANCELLED":
        return State.CANCELLED
    return State.FAILED if stop.code == "STALLED" else State.LOST


def _error(error: EngineError) -> dict[str, str]:
    return {f"error_{name}": text for name, text in error.as_dict().items()}


def _broken() -> EngineError:
    hint = "This is a fault in Tarkeep: logs/app.log has the details, please report them."
    return EngineError("The run broke unexpectedly", hint=hint, code="INTERNAL_ERROR")
