"""Whether the clockwork goes round: beat, and the control worker that does what beat says.

A process that hangs is told from one that works, and whoever sees it hang says so. Celery's
scheduler leaves a trace of each round here, and changes nothing of what it does otherwise.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

from celery.beat import PersistentScheduler


class Trace:
    """When something happened last, in this process; at first, when the process began."""

    def __init__(self, stuck_after: float) -> None:
        self._stuck_after = stuck_after
        self._last = monotonic()

    def leave(self) -> None:
        self._last = monotonic()

    def is_fresh(self) -> bool:
        return monotonic() - self._last < self._stuck_after


BEAT: Final = Trace(40)  # its shortest entry is due every 15 seconds
CONTROL: Final = Trace(120)  # a tick that clears up may hold up the others for a while


class Scheduler(PersistentScheduler):
    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; the seconds until the next."""
        pause: float = super().tick(*args, **kwargs)
        BEAT.leave()
        return pause
