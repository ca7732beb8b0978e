"""A run's log lines, kept with its job, so that the dashboard can show them whatever host ran it.

Lines are collected in memory as they are logged, and written down by whoever calls `write`:
the side thread of the run's progress, and once more at its end. No database call is ever made
from within logging.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from django.db import DatabaseError

from backups_app.models import Job, JobLine
from backups_app.models.line import MOST
from backups_app.story import JobFilter, short_id

LONGEST: Final = 4_000  # characters of a line
AT_ONCE: Final = 200


class Book(logging.Handler):
    """Collects what this process logs for `job`. `write` may be called from any thread."""

    def __init__(self, job: Job) -> None:
        super().__init__(logging.INFO)
        self._job, self._name = job, short_id(job.pk)
        self._waiting: list[JobLine] = []
        self._left = MOST
        self.addFilter(JobFilter())

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "job", "") != self._name or self._left <= 0:
            return
        self._left -= 1
        text = self.format(record) if self._left else "More is in the log file of the worker."
        at = datetime.fromtimestamp(record.created, UTC)
        line = JobLine(job=self._job, at=at, level=record.levelname, text=text[:LONGEST])
        self._waiting.append(line)

    def write(self) -> None:
        """Write down what waits. `DatabaseError`: it waits on."""
        lines, count = self._waiting, len(self._waiting)
        if count:
            JobLine.objects.bulk_create(lines[:count], batch_size=AT_ONCE)
            del lines[:count]


@contextmanager
def kept(job: Job) -> Iterator[Book]:
    """What is logged within belongs to the job, to its last line."""
    book, root = Book(job), logging.getLogger()
    root.addHandler(book)
    try:
        yield book
    finally:
        root.removeHandler(book)
        try:
            book.write()
        except DatabaseError:
            root.warning("The last lines of this run could not be kept with its job")
