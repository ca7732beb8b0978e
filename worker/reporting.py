"""Progress of a run, told to the database and to listeners, and the wish to stop, told back.

The run only ever adds to counters in memory. A side thread, with a database connection of its
own, writes them down, renews the job's lease with every write, looks whether the job was
cancelled, and publishes: so no slow database and no dead Redis holds a run up. Two calls do
reach the database from the run's own thread, since what they promise must be true when they
return: `record` (a step is written down before it is done) and `commit` (the fence).
"""

from __future__ import annotations

import logging
import sys
import traceback
from threading import Event, Thread, current_thread, get_ident
from time import monotonic
from types import TracebackType
from typing import Any, Final

from django.db import DatabaseError, connection, transaction

from backups_app import events
from backups_app.models import Job
from worker import drain
from worker.counters import Counters
from worker.engine.errors import JobStopped
from worker.engine.progress import Progress, SourceWarning

log = logging.getLogger(__name__)

TICK: Final = 1.0
RENEW_EVERY: Final = 10.0
GIVE_UP_AFTER: Final = 60.0  # well before the lease of 90 s runs out
STALLED_AFTER: Final = 600.0


class JobProgress(Progress):
    """The engine's `Progress` for one claimed job. Use it as a context manager."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.counters = Counters()
        self.committed = False
        self.stop: JobStopped | None = None
        self._home = get_ident()
        self._over = Event()
        self._written = (0, monotonic())
        self._side = Thread(target=self._work, name=f"report-{job.pk}", daemon=True)

    def __enter__(self) -> JobProgress:
        self._side.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The side thread is gone afterwards: nothing writes to the job behind our back."""
        self._over.set()
        self._side.join()

    def phase(self, name: str) -> None:
        self.counters.phase(name)
        log.info("%s", name)

    def totals(self, *, files: int, bytes: int) -> None:
        self.counters.totals(files=files, bytes=bytes)

    def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
        self.counters.advance(files=files, bytes=bytes, sent=sent)

    def warn(self, warning: SourceWarning) -> None:
        self.counters.warn(warning)
        log.warning("%s %r: %s", warning.code, warning.path, warning.message)

    def record(self, effect: str, **details: Any) -> None:
        try:
            with transaction.atomic():
                row = Job.objects.select_for_update().get(pk=self.job.pk)
                effects = [*row.effects, {"effect": effect, **details}]
                if not self.job.renew(effects=effects):
                    raise _lost()
        finally:
            self._close_guest_connection()

    def checkpoint(self) -> None:
        if self.stop:
            raise self.stop
        if self.committed:
            return
        if drain.requested():
            raise JobStopped("The worker is shutting down; the job waits for it", code="DRAINED")

    def commit(self, step: str) -> None:
        self.checkpoint()
        try:
            if not self.job.commit(step):
                self.job.refresh_from_db()
                raise self._refusal()
        finally:
            self._close_guest_connection()
        self.committed = True

    def _refusal(self) -> JobStopped:
        ours = self.job.state == "RUNNING" and self.job.cancel_requested_at
        return _cancelled() if ours else _lost()

    def _close_guest_connection(self) -> None:
        """The engine's helper threads come and go: none may leave a connection behind."""
        if get_ident() != self._home:
            connection.close()

    def _work(self) -> None:
        try:
            while not self._over.wait(TICK):
                self._beat()
        finally:
            connection.close()

    def _beat(self) -> None:
        try:
            self._watch()
            if self._due():
                self._write()
        except DatabaseError as error:
            log.warning("The job could not be written down: %s", type(error).__name__)
            connection.close()
        if monotonic() - self._written[1] > GIVE_UP_AFTER:
            self._ask_to_stop(_lost())

    def _due(self) -> bool:
        version, at = self._written
        return version != self.counters.version or monotonic() - at >= RENEW_EVERY

    def _write(self) -> None:
        """Progress and lease in one UPDATE; the lease counts from before it was sent."""
        version, now = self.counters.version, monotonic()
        changed = version != self._written[0]
        if not self._renew(changed=changed):
            self._ask_to_stop(_lost())
            return
        self._written = (version, now)
        if changed:
            events.publish(self.job.pk)

    def _renew(self, *, changed: bool) -> bool:
        return self.job.report(**self.counters.fields()) if changed else self.job.renew()

    def _watch(self) -> None:
        """Was it cancelled, does it hang?"""
        if self.committed:
            return
        asked = Job.objects.filter(pk=self.job.pk, cancel_requested_at__isnull=False)
        if asked.exists():
            self._ask_to_stop(_cancelled())
        if self.counters.idle_seconds() > STALLED_AFTER:
            _log_stacks()
            self._ask_to_stop(JobStopped("Nothing moved for ten minutes", code="STALLED"))

    def _ask_to_stop(self, why: JobStopped) -> None:
        self.stop = self.stop or why


def _lost() -> JobStopped:
    hint = "Look whether another worker has taken over, and whether the database is reachable."
    return JobStopped("This worker no longer holds the job", hint=hint, code="LEASE_LOST")


def _cancelled() -> JobStopped:
    return JobStopped("The job was cancelled", code="CANCELLED")


def _log_stacks() -> None:
    """Where each thread hangs, for whoever looks into it."""
    for ident, frame in sys._current_frames().items():
        if ident != current_thread().ident:
            stack = "".join(traceback.format_stack(frame)[-8:])
            log.error("Nothing moves. Thread %d:\n%s", ident, stack)
