"""A few threads that send, and that nobody has to wait for.

A server that answers one byte a minute keeps a request going for ever, since each byte is a sign
of life. So whoever waits for a thread here may give up, and the process may end without it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

Work = tuple[Future[None], Callable[..., None], tuple[Any, ...]]

GRACE = 10.0  # seconds for what is on its way when the run has failed


class Senders:
    """Like an executor. Its threads are daemons: they do not hold up the end of the process."""

    def __init__(self, count: int, name: str) -> None:
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{n}", daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[..., None], *values: Any) -> Future[None]:
        future: Future[None] = Future()
        self._queue.put((future, work, values))
        return future

    def close(self, *, grace: float = GRACE) -> None:
        """Begin nothing more, and wait a little for what was begun."""
        close_all((self,), grace=grace)

    def stop(self) -> None:
        """Begin nothing more."""
        self._over.set()
        for _ in self._threads:
            self._queue.put(None)

    def join(self, until: float) -> None:
        """Wait for what was begun, until that time (`time.monotonic`)."""
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def __enter__(self) -> Senders:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self) -> None:
        while (task := self._queue.get()) is not None:
            future, work, values = task
            if self._over.is_set() or not future.set_running_or_notify_cancel():
                future.cancel()
                continue
            try:
                work(*values)
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                future.set_exception(error)
            else:
                future.set_result(None)
            del task, values


def close_all(several: Iterable[Senders], *, grace: float = GRACE) -> None:
    """Close them together, in the time of one."""
    senders, until = tuple(several), time.monotonic() + grace
    for one in senders:
        one.stop()
    for one in senders:
        one.join(until)
