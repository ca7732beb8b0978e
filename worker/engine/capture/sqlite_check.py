"""Ask SQLite whether captured databases are whole, beside the packing.

`PRAGMA quick_check` reads the whole database (about 0.5 GB/s a core), so it runs in a thread of
its own on the captured copy, which is removed when the answer is there.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from worker.engine.archive.index import FileRow

_AT_ONCE = 2  # copies kept for checking: bounds the temporary space

Answer = tuple[FileRow, str]  # the database's row, and what is wrong with it or ""


class SqliteChecks:
    """Copies in, answers out in the same order."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="quick-check")
        self._waiting: deque[tuple[FileRow, Future[str]]] = deque()

    def submit(self, row: FileRow, copy: Path) -> Iterator[Answer]:
        """Take over the file `copy`; gives answers that had to come first."""
        self._waiting.append((row, self._pool.submit(_check, copy)))
        yield from self._answers(_AT_ONCE - 1)

    def rest(self) -> Iterator[Answer]:
        """All answers that are still to come."""
        yield from self._answers(0)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _answers(self, leave: int) -> Iterator[Answer]:
        while len(self._waiting) > leave:
            row, future = self._waiting.popleft()
            yield row, future.result()


def _check(copy: Path) -> str:
    """What `quick_check` complains of first; an empty string when the database is whole."""
    try:
        uri = f"file:{quote(str(copy))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            answer = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
        return "" if answer == "ok" else answer
    except sqlite3.Error as error:
        return str(error)
    finally:
        copy.unlink(missing_ok=True)
