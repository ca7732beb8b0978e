"""Signs of life of a run that waits for something which has a time limit of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from worker.engine.errors import JobStopped
from worker.engine.progress import Progress

_EVERY: Final = 5.0  # seconds
_LOOK_EVERY: Final = 0.2


@contextmanager
def pulsing(progress: Progress) -> Iterator[None]:
    """While the block runs, the watchdog of stalls is calm."""
    over = Event()

    def pulse() -> None:
        while not over.wait(_EVERY):
            progress.pulse()

    thread = Thread(target=pulse, name="pulsing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def until_done(over: Future[None], progress: Progress) -> None:
    """Raises what it has come to, and `JobStopped`: a run that is to end leaves it behind."""
    with pulsing(progress):
        while not wait([over], _LOOK_EVERY).done:
            progress.checkpoint()
    over.result()


def is_wanted(progress: Progress) -> bool:
    """Whether the run is to go on; for what must not be broken off in the middle."""
    try:
        progress.checkpoint()
    except JobStopped:
        return False
    return True
