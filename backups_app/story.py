"""The log tells each job's story: its short id is on every line, in one file that all share."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from uuid import UUID

_job: ContextVar[str] = ContextVar("job", default="-")
_of_process = "-"  # what threads without a job of their own belong to: pools inherit no context

MAX_BYTES = 5 * 1024 * 1024
OLD_FILES = 5


def short_id(job_id: UUID) -> str:
    """Eight characters that name a job in logs and on screens."""
    return str(job_id)[:8]


@contextmanager
def telling(job_id: UUID, *, every_thread: bool = False) -> Iterator[None]:
    """Log lines of this block belong to the job; with `every_thread` all of this process."""
    global _of_process
    token, before = _job.set(short_id(job_id)), _of_process
    if every_thread:
        _of_process = short_id(job_id)
    try:
        yield
    finally:
        _job.reset(token)
        _of_process = before


class JobFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        job = _job.get()
        record.job = _of_process if job == "-" else job
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

    def _open(self) -> TextIOWrapper:
        return _open_private(self.baseFilename)

    def emit(self, record: logging.LogRecord) -> None:
        self._follow_rename()
        super().emit(record)

    def doRollover(self) -> None:
        with _open_private(f"{self.baseFilename}.lock") as lock:
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


def _open_private(file: str) -> TextIOWrapper:
    """To append. New ones are for their owner alone: the log names files and people."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "a", encoding="utf-8")


def _inode(file: str) -> int | None:
    try:
        return Path(file).stat().st_ino
    except FileNotFoundError:
        return None
