"""Asking again, on top of botocore's own few attempts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from secrets import SystemRandom
from typing import TypeVar

from worker.engine.errors import StorageError
from worker.engine.storage.s3_client import Patience
from worker.engine.storage.s3_errors import is_transient

T = TypeVar("T")

LONGEST_PAUSE = 30.0
_LOOK_EVERY = 1.0
log = logging.getLogger(__name__)
_random = SystemRandom()


def unheard() -> None:
    """Nobody asks for signs of life, or stops us."""


class Retry:
    """Decides, error by error, whether to ask again; pauses in between.

    `seconds` count from the last success: call `succeeded` when something came through.
    `stopped` ends a pause at once; `check` is called every second of it, and may raise.
    """

    def __init__(
        self,
        patience: Patience,
        stopped: threading.Event | None = None,
        check: Callable[[], None] = unheard,
    ) -> None:
        self._patience, self._check = patience, check
        self._stopped = stopped or threading.Event()
        self.succeeded()

    def succeeded(self) -> None:
        self._delays = _delays()
        self._deadline = time.monotonic() + self._patience.seconds

    def pause(self, error: StorageError) -> None:
        """Wait before the next try, or raise `error` where another one is of no use, or unwanted:
        an answer may come long after its upload was given up."""
        delay = next(self._delays)
        late = time.monotonic() + delay > self._deadline
        if late or self._stopped.is_set() or not is_transient(error):
            raise error
        log.warning("%s; asking again in %.1f s", error.message, delay)
        end = time.monotonic() + delay
        while (left := end - time.monotonic()) > 0:
            if self._stopped.wait(min(left, _LOOK_EVERY)):
                raise error
            self._check()

    def call(self, request: Callable[[], T]) -> T:
        while True:
            try:
                return request()
            except StorageError as error:
                self.pause(error)


def _delays() -> Iterator[float]:
    """Doubling pauses, each shortened at random so that many workers spread out."""
    return (min(LONGEST_PAUSE, 2.0**n) * _random.uniform(0.5, 1) for n in count())
