"""Progress of a run, told to the database and to listeners, and the wish to stop, told back.

The run only ever adds to counters in memory. A side thread, with a database connection of its
own, writes them down, renews the job's lease with every write, looks whether the job was
cancelled, and publishes: so no slow database and no dead Redis holds a run up. Two calls do
reach the database from the run's own thread, since what they promise must be true when they
return: `record` (a step is written down before it is done) and `commit` (the fence). A database
that restarts is asked again by them for as long as the lease surely holds.

A run that hangs is found without the database: see `guard.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Thread, get_ident
from time import monotonic
from types import TracebackType
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from backups_app import events
from backups_app.logbook import Book
from backups_app.models import Job
from worker import drain
from worker.counters import Counters
from worker.engine.errors import JobStopped
from worker.engine.progress import Progress, SourceWarning
from worker.guard import PATIENCE, Guard, log_stacks

log = logging.getLogger(__name__)

TICK: Final = 1.0
RENEW_EVERY: Final = 10.0
GIVE_UP_AFTER: Final = 60.0  # well before the lease of 90 s runs out
STALLED_AFTER: Final = 600.0
LAST_WRITE: Final = 10.0


class JobProgress(Progress):
    """The engine's `Progress` for one claimed job. Use it as a context manager."""

    def __init__(
        self,
        job: Job,
        *,
        book: Book | None = None,
        stalled_after: float = STALLED_AFTER,
        patience: float = PATIENCE,
    ) -> None:
        """Seconds: `stalled_after` without a sign of life it is told to stop, and when it has not
        heeded that for `patience`, its process is ended."""
        self.job = job
        self.book = book
        self.counters = Counters()
        self.committed = False
        self.stop: JobStopped | None = None
        self._stalled_after = stalled_after
        self._heeded = False
        self._home = get_ident()
        self._over = Event()
        self._written = (0, monotonic())
        self._side = Thread(target=self._work, name=f"report-{job.pk}", daemon=True)
        self._guard = Guard(job, self._to_heed, patience=patience)

    def __enter__(self) -> JobProgress:
        self._side.start()
        self._guard.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Afterwards nothing writes to the job behind our back: the side thread is gone, or hangs
        in a silent database, and then what it still sends comes too late for a job that ended."""
        self._guard.__exit__(kind, error, trace)
        self._over.set()
        self._side.join(LAST_WRITE)

    def phase(self, name: str) -> None:
        self.counters.phase(name)
        log.info("%s", name)

    def totals(self, *, files: int, bytes: int) -> None:
        self.counters.totals(files=files, bytes=bytes)

    def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
        self.counters.advance(files=files, bytes=bytes, sent=sent)

    def pulse(self) -> None:
        self.counters.pulse()

    def warn(self, warning: SourceWarning) -> None:
        self.counters.warn(warning)
        log.warning("%s %r: %s", warning.code, warning.path, warning.message)

    def record(self, effect: str, **details: Any) -> None:
        written = {"effect": effect, **details, "at": datetime.now(UTC).isoformat()}
        self._asking(lambda again: self._record(written, again=again))

    def _record(self, effect: dict[str, Any], *, again: bool) -> None:
        with transaction.atomic():
            row = Job.objects.select_for_update().get(pk=self.job.pk)
            if again and row.effects[-1:] == [effect]:
                return  # it was written, only the answer got lost
            if not self.job.renew(effects=[*row.effects, effect]):
                raise lost()

    def checkpoint(self) -> None:
        if why := self._why_stop():
            self._heeded = True  # by any thread: what it raises reaches the run's own
            raise why

    def _why_stop(self) -> JobStopped | None:
        """From memory alone."""
        if self.stop:
            return self.stop
        if self._out_of_touch():
            return lost()
        return _drained() if drain.requested() and not self.committed else None

    def _out_of_touch(self) -> bool:
        """Nobody has to tell us that the lease was not renewed for long."""
        return monotonic() - self._written[1] > GIVE_UP_AFTER

    def commit(self, step: str) -> None:
        self.checkpoint()
        self._asking(lambda again: self._commit(step))
        self.committed = True

    def _commit(self, step: str) -> None:
        if not self.job.commit(step):
            self.job.refresh_from_db()
            raise self._refusal()

    def _asking(self, ask: Callable[[bool], None]) -> None:
        """Ask the database, and while it is away ask again; `again` says that it is not the first
        time. A connection that dates from before a restart of it is of no use any more."""
        again = False
        while True:
            try:
                return ask(again)
            except (OperationalError, InterfaceError) as error:
                log.warning("The database is asked again: %s", type(error).__name__)
                connection.close()
                if self._out_of_touch():
                    raise lost() from error
                again = True
            finally:
                self._close_guest_connection()
            self._over.wait(TICK)

    def _refusal(self) -> JobStopped:
        ours = self.job.state == "RUNNING" and self.job.cancel_requested_at
        return _cancelled() if ours else lost()

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
            self._ask_whether_cancelled()
            if self._due():
                self._write()
            if self.book:
                self.book.write()
        except DatabaseError as error:
            log.warning("The job could not be written down: %s", type(error).__name__)
            connection.close()

    def _due(self) -> bool:
        version, at = self._written
        return version != self.counters.version or monotonic() - at >= RENEW_EVERY

    def _write(self) -> None:
        """Progress and lease in one UPDATE; the lease counts from before it was sent."""
        version, now = self.counters.version, monotonic()
        changed = version != self._written[0]
        if not self._renew(changed=changed):
            self._ask_to_stop(lost())
            return
        self._written = (version, now)
        if changed:
            events.publish(self.job.pk)

    def _renew(self, *, changed: bool) -> bool:
        return self.job.report(**self.counters.fields()) if changed else self.job.renew()

    def _ask_whether_cancelled(self) -> None:
        asked = Job.objects.filter(pk=self.job.pk, cancel_requested_at__isnull=False)
        if not self.committed and asked.exists():
            self._ask_to_stop(_cancelled())

    def _to_heed(self) -> JobStopped | None:
        """For the guard: why the run ought to have stopped. When it has begun to, it may take its
        time to clean up, as long as something moves."""
        hangs = self.counters.idle_seconds() > self._stalled_after
        if hangs and not self.stop:
            log_stacks("Nothing moves")
            self._ask_to_stop(_stalled(self._stalled_after))
        return self._why_stop() if hangs or not self._heeded else None

    def _ask_to_stop(self, why: JobStopped) -> None:
        self.stop = self.stop or why


def lost() -> JobStopped:
    hint = "Look whether another worker has taken over, and whether the database is reachable."
    return JobStopped("This worker no longer holds the job", hint=hint, code="LEASE_LOST")


def _cancelled() -> JobStopped:
    return JobStopped("The job was cancelled", code="CANCELLED")


def _drained() -> JobStopped:
    return JobStopped("The worker is shutting down; the job waits for it", code="DRAINED")


def _stalled(seconds: float) -> JobStopped:
    hint = "The log has what each thread waited for. BACKUP_STALL_MINUTES says how long is waited."
    return JobStopped(f"Nothing moved for {seconds / 60:g} minutes", hint=hint, code="STALLED")
