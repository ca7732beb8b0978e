"""Ask SQLite whether captured databases are whole, beside the packing.

`PRAGMA quick_check` reads the whole database (about 0.5 GB/s a core), so it runs in a thread of
its own on the captured copy, which is removed when the answer is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from worker.engine.archive.index import FileRow
from worker.engine.errors import JobStopped
from worker.engine.integrity import NotChecked, integrity
from worker.engine.progress import Progress

_LOOK_EVERY = 1.0  # seconds
COPIES = 2  # that are there at once: bounds the temporary space


class Answer(NamedTuple):
    """A code for the index, and what there is to say, "" for a whole database."""

    code: str
    said: str = ""


class SqliteChecks:
    """Copies in, answers out in the same order."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._beside = progress, _Beside(progress)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="quick-check")
        self._waiting: deque[tuple[FileRow, Future[Answer]]] = deque()

    def submit(self, row: FileRow, copy: Path) -> Iterator[tuple[FileRow, Answer]]:
        """Take over the file `copy`; gives answers that had to come first."""
        self._waiting.append((row, self._pool.submit(_check, copy, self._beside)))
        yield from self._answers(COPIES - 1)

    def rest(self) -> Iterator[tuple[FileRow, Answer]]:
        """All answers that are still to come. Raises `JobStopped`."""
        yield from self._answers(0)

    def close(self) -> None:
        """What still runs is cut short: nobody waits for its answer any more."""
        self._beside.over = True
        self._pool.shutdown(cancel_futures=True)

    def _answers(self, leave: int) -> Iterator[tuple[FileRow, Answer]]:
        while len(self._waiting) > leave:
            row, future = self._waiting.popleft()
            while not wait([future], timeout=_LOOK_EVERY).done:
                self._progress.checkpoint()
            yield row, future.result()


@dataclass
class _Beside(Progress):
    """The run as its checks see it."""

    run: Progress
    over: bool = False

    def pulse(self) -> None:
        self.run.pulse()

    def checkpoint(self) -> None:
        if self.over:
            raise JobStopped("Nobody waits for the check any more")


def _check(copy: Path, progress: Progress) -> Answer:
    try:
        problem = integrity(copy, progress, "quick_check")
    except NotChecked as reason:
        return Answer("SQLITE_NOT_CHECKED", f"SQLite cannot check it: {reason}")
    finally:
        copy.unlink(missing_ok=True)
    if problem:
        return Answer("SQLITE_DAMAGED", f"SQLite's quick_check says: {problem}")
    return Answer("SQLITE_OK")
