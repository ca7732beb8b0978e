"""Brings what is written to its disk while more is being written, so that little is left to wait
for at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

from worker.engine.extract.syscalls import sync_file_system
from worker.engine.progress import Progress
from worker.engine.pulsing import until_done

_ROOT: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PAUSE: Final = 0.5  # seconds at least between two times; or as long as the last one took


@contextmanager
def synced(folder: Path, progress: Progress, *, wanted: bool = True) -> Iterator[None]:
    """When the block has ended well, everything on the folder's file system is on its disk.

    That takes as long as the disk does; a run that is told to end does not wait for it. Nothing
    is done if not `wanted`. Raises `OSError`, `JobStopped`.
    """
    if not wanted:
        yield
        return
    syncing = _Syncing(folder)
    try:
        yield
        syncing.finish(progress)
    finally:
        syncing.leave()


class _Syncing:
    """Syncs again and again, in a thread that nobody has to wait for.

    One descriptor is for all of it: syncfs(2) tells of whatever could not be written since that
    was opened, whoever was to write it.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, _ROOT)
        self._over, self._last = Event(), True
        self._done = Future[None]()
        Thread(target=self._run, name="syncing", daemon=True).start()

    def finish(self, progress: Progress) -> None:
        self._over.set()
        until_done(self._done, progress)

    def leave(self) -> None:
        """The thread ends when the call does that it is in: never, where a disk does not answer."""
        self._last = False
        self._over.set()

    def _run(self) -> None:
        try:
            self._sync()
            self._done.set_result(None)
        except BaseException as error:  # noqa: BLE001  raised again where it is waited for
            self._done.set_exception(error)
        finally:
            os.close(self._descriptor)

    def _sync(self) -> None:
        pause = _PAUSE
        while not self._over.wait(pause):
            began = time.monotonic()
            sync_file_system(self._descriptor)
            pause = max(_PAUSE, time.monotonic() - began)
        if self._last:
            sync_file_system(self._descriptor)
