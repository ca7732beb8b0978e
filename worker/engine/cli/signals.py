"""Ctrl-C, SIGTERM and a closed terminal: wishes that a run heeds where it can be broken off.

It then starts what it had stopped and leaves no half backup. A second signal ends it at once.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from worker.engine.errors import JobStopped

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def heeded(ask_to_stop: Callable[[JobStopped], None]) -> Iterator[None]:
    """While the block runs, the first signal is passed on and the next is a KeyboardInterrupt."""
    asked = False

    def heed(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        ask_to_stop(_why(number))

    # What is ignored stays so: nohup makes it that way.
    ours = [one for one in _SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
    before = {number: signal.signal(number, heed) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _why(number: int) -> JobStopped:
    if number == signal.SIGINT:
        return JobStopped("Stopped.", hint="Nothing was published or changed.")
    hint = "The next backup goes on where this one was."
    return JobStopped(f"Stopped by {signal.Signals(number).name}.", hint=hint, code="DRAINED")
