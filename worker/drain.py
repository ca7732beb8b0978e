"""The wish that jobs stop at their next segment and wait for the next worker.

It comes from SIGTERM, in two ways. The worker's main process gets it and tells its pool through
one byte of memory they share since the fork: no lock that a killed process could take with it.
And process managers signal the whole group: a pool process that runs a job must not die of it
half way, so it takes the signal as the same wish, for itself.
"""

from __future__ import annotations

import mmap
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from billiard import current_process

_for_all = mmap.mmap(-1, 1)
_for_us = Event()


def request() -> None:
    """From the main process: all jobs of this worker."""
    _for_all[0] = 1


def requested() -> bool:
    return _for_all[0] == 1 or _for_us.is_set()


def clear() -> None:
    _for_all[0] = 0
    _for_us.clear()


@contextmanager
def on_term() -> Iterator[None]:
    """While the block runs in a pool process, SIGTERM asks for a drain. Elsewhere no change:

    in a worker without a pool the main process runs the job, and Celery listens for SIGTERM.
    """
    if current_process().name == "MainProcess":
        yield
        return
    earlier = signal.signal(signal.SIGTERM, lambda *_: _for_us.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)
        _for_us.clear()
