"""The worker's main process says that it lives, and passes SIGTERM on as the wish to drain.

One that runs jobs also looks into the database for jobs that wait, so that a lost hint only
delays, even with beat and the control worker gone.
"""

from __future__ import annotations

import logging
import os
from threading import Event, Lock, Thread
from typing import Any, Final

from celery.signals import worker_ready, worker_shutting_down
from django.db import DatabaseError, connection

from backups_app.models import WorkerSeen
from worker import dispatch, drain
from worker.app import JOBS

log = logging.getLogger(__name__)

EVERY: Final = 15.0

# SQLite must not be open in a process while it forks: the child would inherit a notion of
# locks that it does not hold. So forks of the pool wait while the thread below is connected.
_connected = Lock()
os.register_at_fork(
    before=_connected.acquire,
    after_in_parent=_connected.release,
    after_in_child=_connected.release,
)
_over = Event()


@worker_ready.connect
def begin(sender: Any, **_: Any) -> None:
    """Start the thread that marks this worker as alive."""
    runs_jobs = JOBS in sender.app.amqp.queues.consume_from
    Thread(target=_work, args=(sender.hostname, runs_jobs), daemon=True).start()


@worker_shutting_down.connect
def end(**_: Any) -> None:
    """SIGTERM or SIGINT: running jobs stop at their next segment."""
    drain.request()
    _over.set()


def beat(name: str, *, runs_jobs: bool) -> None:
    """Mark the worker as alive, and leave no connection open. Never raises for the database."""
    with _connected:
        try:
            WorkerSeen.objects.mark(name, runs_jobs=runs_jobs)
            if runs_jobs:
                dispatch.resend()
        except DatabaseError as error:
            log.warning("The worker could not be marked as alive: %s", type(error).__name__)
        finally:
            connection.close()


def _work(name: str, runs_jobs: bool) -> None:
    while not _over.is_set():
        beat(name, runs_jobs=runs_jobs)
        _over.wait(EVERY)
    with _connected:
        _forget(name)


def _forget(name: str) -> None:
    try:
        WorkerSeen.objects.filter(name=name).delete()
    except DatabaseError:
        log.info("The worker leaves without saying so")
    finally:
        connection.close()
