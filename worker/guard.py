"""The last resort against a run that does not stop: the end of its process.

A read from a dead network mount hangs in the kernel, an answer that comes byte by byte in the
library; no exception reaches either. So a thread that uses neither database nor network looks
whether the run ought to have stopped a while ago. It writes down why, if the database lets it,
and kills the process: its pool starts another, and the reaper cleans up after the job as after
any that died.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from threading import Event, Thread, current_thread
from time import monotonic
from typing import Final

from django.db import DatabaseError, connection

from backups_app import events
from backups_app.models import Job
from backups_app.states import State
from worker.engine.errors import JobStopped

log = logging.getLogger(__name__)

TICK: Final = 1.0
PATIENCE: Final = 45.0  # seconds: less than the minute that process managers give us on SIGTERM
_LAST_WORDS: Final = 5.0


class Guard:
    """While its `with` block runs. `reason` says why the run ought to stop, if it ought to; it is
    asked every second, and must wait for nothing."""

    def __init__(
        self, job: Job, reason: Callable[[], JobStopped | None], *, patience: float = PATIENCE
    ) -> None:
        self._job, self._reason, self._patience = job, reason, patience
        self._over = Event()
        self._thread = Thread(target=self._watch, name=f"guard-{job.pk}", daemon=True)

    def __enter__(self) -> Guard:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        since = 0.0
        while not self._over.wait(TICK):
            why = self._reason()
            since = (since or monotonic()) if why else 0.0
            if why and monotonic() - since > self._patience:
                self._end(why)

    def _end(self, why: JobStopped) -> None:
        log_stacks(f"The run does not stop ({why.code}): its process is ended")
        last = Thread(target=_write_off, args=(self._job, why), daemon=True)
        last.start()
        last.join(_LAST_WORDS)
        if not self._over.is_set():
            os.kill(os.getpid(), signal.SIGKILL)


def _write_off(job: Job, why: JobStopped) -> None:
    """LOST at once, so that nobody has to wait for the lease to run out."""
    told = {f"error_{name}": text for name, text in why.as_dict().items()}
    try:
        if job.finish(State.LOST, **told):
            events.publish(job.pk)
    except DatabaseError as error:
        log.warning("The end could not be written down: %s", type(error).__name__)
    finally:
        connection.close()


def log_stacks(why: str) -> None:
    """Where each thread is, for whoever looks into it."""
    log.error("%s", why)
    for ident, frame in sys._current_frames().items():
        if ident != current_thread().ident:
            stack = "".join(traceback.format_stack(frame)[-8:])
            log.error("Thread %d:\n%s", ident, stack)
