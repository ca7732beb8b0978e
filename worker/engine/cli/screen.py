"""Progress bars in the terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from worker.engine.cli.output import Output
from worker.engine.cli.signals import heeded
from worker.engine.errors import JobStopped
from worker.engine.instances.journal import Journal
from worker.engine.progress import Progress, SourceWarning

_SHOWN_WARNINGS = 20


class Screen(Progress):
    """One bar a phase. Calls come from several threads."""

    def __init__(self, output: Output, bars: Bars, journal: Journal | None) -> None:
        self._output, self._bars, self._journal = output, bars, journal
        self._task = bars.add_task("starting", total=None)
        self._warnings = 0
        self._lock = threading.Lock()
        self._stop: JobStopped | None = None
        self._committed = False

    def ask_to_stop(self, why: JobStopped) -> None:
        """From a signal handler."""
        self._stop = why
        self._output.warning(f"{why.message} One more signal ends it at once.")

    def checkpoint(self) -> None:
        if self._stop and not self._committed:
            raise self._stop

    def commit(self, step: str) -> None:
        self.checkpoint()
        self._committed = True

    def phase(self, name: str) -> None:
        self._bars.update(self._task, description=name)

    def totals(self, *, files: int, bytes: int) -> None:
        self._bars.update(self._task, total=bytes or None)

    def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
        self._bars.advance(self._task, bytes)

    def record(self, effect: str, **details: Any) -> None:
        if self._journal is not None:
            self._journal.record(effect, **details)

    def warn(self, warning: SourceWarning) -> None:
        with self._lock:
            self._warnings += 1
            if self._warnings <= _SHOWN_WARNINGS:
                where = f"{warning.path}: " if warning.path else ""
                self._output.warning(f"{where}{warning.message} ({warning.code})")
            elif self._warnings == _SHOWN_WARNINGS + 1:
                self._output.warning("more warnings are not shown")


@contextmanager
def show_progress(output: Output, journal: Journal | None = None) -> Iterator[Screen]:
    """A progress for the engine that draws bars on a terminal, and nothing elsewhere.

    `journal` remembers what is stopped, for the case that this run does not get to start it.
    """
    bars = Bars(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=output.console,
        transient=True,
        disable=output.quiet or output.json or not output.console.is_terminal,
    )
    screen = Screen(output, bars, journal)
    with bars, heeded(screen.ask_to_stop):
        yield screen
