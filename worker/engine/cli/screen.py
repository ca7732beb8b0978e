"""Progress bars in the terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from worker.engine.cli.output import Output
from worker.engine.progress import Progress, SourceWarning

_SHOWN_WARNINGS = 20


class Screen(Progress):
    """One bar a phase. Calls come from several threads."""

    def __init__(self, output: Output, bars: Bars) -> None:
        self._output, self._bars = output, bars
        self._task = bars.add_task("starting", total=None)
        self._warnings = 0
        self._lock = threading.Lock()

    def phase(self, name: str) -> None:
        self._bars.update(self._task, description=name)

    def totals(self, *, files: int, bytes: int) -> None:
        self._bars.update(self._task, total=bytes or None)

    def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
        self._bars.advance(self._task, bytes)

    def warn(self, warning: SourceWarning) -> None:
        with self._lock:
            self._warnings += 1
            if self._warnings <= _SHOWN_WARNINGS:
                self._output.warning(f"{warning.path}: {warning.message} ({warning.code})")
            elif self._warnings == _SHOWN_WARNINGS + 1:
                self._output.warning("more warnings are not shown")


@contextmanager
def show_progress(output: Output) -> Iterator[Screen]:
    """A progress for the engine that draws bars on a terminal, and nothing elsewhere."""
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
    with bars:
        yield Screen(output, bars)
