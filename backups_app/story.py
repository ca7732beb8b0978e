"""The log tells each job's story: its short id is on every line, in one file that all share."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler
from pathlib import Path
from uuid import UUID

_job: ContextVar[str] = ContextVar("job", default="-")

MAX_BYTES = 5 * 1024 * 1024
OLD_FILES = 5


def short_id(job_id: UUID) -> str:
    """Eight characters that name a job in logs and on screens."""
    return str(job_id)[:8]


@contextmanager
def telling(job_id: UUID) -> Iterator[None]:
    """Log lines of this block belong to the job."""
    token = _job.set(short_id(job_id))
    try:
        yield
    finally:
        _job.reset(token)


class JobFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.job = _job.get()
        return True


class SharedRotatingFile(RotatingFileHandler):
    """A rotating file that several processes write at once.

    The standard handler goes on writing to a file that another process has renamed, and
    renames it again. This one rotates under a file lock, only if the file still is too large
    when the lock is held, and looks before each line whether it was renamed.
    """

    def __init__(self, file: str, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(
            file, maxBytes=max_bytes, backupCount=OLD_FILES, encoding="utf-8", delay=True
        )

    def emit(self, record: logging.LogRecord) -> None:
        self._follow_rename()
        super().emit(record)

    def doRollover(self) -> None:
        with Path(f"{self.baseFilename}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if Path(self.baseFilename).stat().st_size >= self.maxBytes // 2:
                    super().doRollover()
            self._follow_rename()

    def _follow_rename(self) -> None:
        stream = self.stream
        if stream and os.fstat(stream.fileno()).st_ino != _inode(self.baseFilename):
            stream.close()
            self.stream = self._open()


def _inode(file: str) -> int | None:
    try:
        return Path(file).stat().st_ino
    except FileNotFoundError:
        return None
