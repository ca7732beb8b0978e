"""Leave a failing neighbour alone for a while, so that waiting for it costs little."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic

log = logging.getLogger(__name__)


class Breaker:
    """Runs actions that may fail without harm; after a failure, none for `pause` seconds.

    Counts what failed and what was skipped. Safe to use from several threads.
    """

    def __init__(self, name: str, *, pause: float = 30.0) -> None:
        self.name = name
        self.pause = pause
        self.failed = 0
        self.skipped = 0
        self._closed_until = 0.0
        self._lock = Lock()

    def call(self, action: Callable[[], object]) -> bool:
        """True when the action ran without an error."""
        if monotonic() < self._closed_until:
            with self._lock:
                self.skipped += 1
            return False
        try:
            action()
        except Exception as error:  # noqa: BLE001  whatever fails here must never fail a job
            self._open(error)
            return False
        return True

    def reset(self) -> None:
        self._closed_until = 0.0

    def _open(self, error: Exception) -> None:
        with self._lock:
            self.failed += 1
            self._closed_until = monotonic() + self.pause
        # The class alone: messages of connection errors may quote an address with a password.
        log.warning(
            "%s failed (%s), left alone for %d s", self.name, type(error).__name__, self.pause
        )
