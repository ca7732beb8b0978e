"""A limit to how fast uploads go, shared by all threads that send."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Bandwidth:
    """A bucket that fills with `limit` tokens (bytes) a second and holds a second's worth."""

    def __init__(
        self,
        limit: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit, self._clock, self._sleep = limit, clock, sleep
        self._lock = threading.Lock()
        self._paid_until = clock() - 1.0

    def take(self, size: int) -> None:
        """Wait until `size` bytes may be sent."""
        with self._lock:
            now = self._clock()
            # Debts are paid by whoever comes next; more than a second is not saved up.
            self._paid_until = max(self._paid_until, now - 1.0) + size / self._limit
            wait = self._paid_until - now
        if wait > 0:
            self._sleep(wait)
