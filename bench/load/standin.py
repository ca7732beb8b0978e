"""Takes as much of the processor as the crowd does, and asks nobody anything.

`python -m bench.load.standin SHARE`, of one core, until its input ends. The crowd would be on other
machines in life; what a backup loses to the crowd beyond what it loses to this is the service's.
"""

from __future__ import annotations

import sys
from threading import Event, Thread
from time import monotonic, process_time, sleep

SLICE = 0.005  # seconds: a crowd that asks 200 times a second wakes as often


def spend(share: float, over: Event) -> None:
    """What was due while others had the processor is made up for, as requests do not go away."""
    begun, used = monotonic(), process_time()
    while not over.is_set():
        due = share * (monotonic() - begun)
        while process_time() - used < due:
            pass
        sleep(SLICE)


def _wait(over: Event) -> None:
    sys.stdin.read()
    over.set()


def main(share: float) -> None:
    over = Event()
    Thread(target=_wait, args=(over,), daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    spend(share, over)


if __name__ == "__main__":
    main(float(sys.argv[1]))
