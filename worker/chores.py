"""Long work that a tick begins and does not wait for.

The control worker has one thread for all its ticks (`-P solo`), in which Celery's time limits
mean nothing: a bucket that does not answer would keep the schedule waiting, and jobs of dead
workers unfound. So such work goes on in a thread of its own, one for each kind, and a tick that
finds the last one's work under way leaves it at that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock, Thread

from django.db import connection

log = logging.getLogger(__name__)


class Chores:
    """Of this process. What goes wrong in one is logged, and is tried again by the next tick."""

    def __init__(self) -> None:
        self._threads: dict[str, Thread] = {}
        self._lock = Lock()

    def begin(self, name: str, work: Callable[[], None]) -> Thread:
        """Have it under way."""
        with self._lock:
            thread = self._threads.get(name)
            if thread is None or not thread.is_alive():
                thread = Thread(target=_do, args=(name, work), name=name, daemon=True)
                self._threads[name] = thread
                thread.start()
            return thread

    def wait(self) -> None:
        """For the end of what is under way."""
        for thread in list(self._threads.values()):
            thread.join()


def _do(name: str, work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:
        log.exception("%s waits for the next tick", name)
    finally:
        connection.close()


chores = Chores()
