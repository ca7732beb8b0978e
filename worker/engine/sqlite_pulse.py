"""Signs of life of SQLite at work, and its end when the run is to stop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection, OperationalError

from worker.engine.errors import JobStopped
from worker.engine.progress import Progress

_STEPS = 1_000_000  # of SQLite's machine between two signs of life


@contextmanager
def watched(database: Connection, progress: Progress) -> Iterator[None]:
    """Statements within the block can be stopped: raises `JobStopped` then."""
    pulse = Pulse(progress)
    database.set_progress_handler(pulse, _STEPS)
    try:
        yield
    except OperationalError:
        if pulse.stop:
            raise pulse.stop from None
        raise
    finally:
        database.set_progress_handler(None, 0)


class Pulse:
    """Called by SQLite; not 0 interrupts it. An exception of ours would be lost there."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.stop: JobStopped | None = None

    def __call__(self) -> int:
        try:
            self._progress.pulse()
            self._progress.checkpoint()
        except JobStopped as stop:
            self.stop = stop
        return int(self.stop is not None)
