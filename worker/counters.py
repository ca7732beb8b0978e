"""What a run has done so far, in memory: cheap to add to, from any thread.

A measure begins with the first `totals` of a phase; what was counted before it belonged to
another. Bytes sent are counted over the whole run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import Any, Final

from worker.engine.progress import TROUBLE, WORRYING, SourceWarning

KEPT_WARNINGS: Final = 100
SMOOTHING: Final = 0.3


@dataclass
class _Phase:
    name: str
    started_at: str
    started: float
    seconds: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "startedAt": self.started_at, "seconds": self.seconds}


@dataclass
class Counters:
    """`moved` is the monotonic time of the last sign of progress, `version` rises with each."""

    version: int = 0
    moved: float = field(default_factory=monotonic)
    _phases: list[_Phase] = field(default_factory=list)
    _worrying: list[dict[str, str]] = field(default_factory=list)
    _others: list[dict[str, str]] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)
    _measured: bool = False
    _rate: float = 0.0
    _rated: tuple[float, int] = (0.0, 0)
    _lock: Lock = field(default_factory=Lock)

    def phase(self, name: str) -> None:
        with self._lock:
            self._end_phase()
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._phases.append(_Phase(name, now, monotonic()))
            self._measured = False
            self._touch()

    def totals(self, *, files: int, bytes: int) -> None:
        with self._lock:
            if not self._measured:
                self._counts.update(files_done=0, bytes_done=0)
                self._rate, self._rated = 0.0, (monotonic(), 0)
                self._measured = True
            self._counts.update(files_total=files, bytes_total=bytes)
            self._touch()

    def advance(self, *, files: int, bytes: int, sent: int) -> None:
        with self._lock:
            for name, more in (("files_done", files), ("bytes_done", bytes), ("bytes_sent", sent)):
                self._count(name, more)
            self._touch()

    def pulse(self) -> None:
        """A sign of life that nobody needs to see: it costs no write."""
        self.moved = monotonic()

    def warn(self, warning: SourceWarning) -> None:
        with self._lock:
            self._count("warning_count", 1)
            self._count("trouble_count", int(warning.code in TROUBLE))
            kept = self._worrying if warning.code in WORRYING else self._others
            if len(kept) < KEPT_WARNINGS:
                kept.append(warning.as_dict())
            self._touch()

    def fields(self, *, ended: bool = False) -> dict[str, Any]:
        """The fields of the job's row. `ended` closes the last phase."""
        with self._lock:
            if ended:
                self._end_phase()
            return {
                "phase": self._phases[-1].name if self._phases else "",
                "phases": [phase.as_dict() for phase in self._phases],
                "warnings": [*self._worrying, *self._others][:KEPT_WARNINGS],
                "bytes_per_second": 0 if ended else self._speed(),
                **self._counts,
            }

    def idle_seconds(self) -> float:
        return monotonic() - self.moved

    def _count(self, name: str, more: int) -> None:
        self._counts[name] = self._counts.get(name, 0) + more

    def _touch(self) -> None:
        self.version += 1
        self.moved = monotonic()

    def _end_phase(self) -> None:
        if self._phases and self._phases[-1].seconds is None:
            self._phases[-1].seconds = round(monotonic() - self._phases[-1].started, 3)

    def _speed(self) -> int:
        """Bytes a second since the last look, smoothed over a few looks."""
        now, done = monotonic(), self._counts.get("bytes_done", 0)
        elapsed = now - self._rated[0]
        if elapsed > 0.5:
            latest = max(0.0, (done - self._rated[1]) / elapsed)
            self._rate = SMOOTHING * latest + (1 - SMOOTHING) * self._rate if self._rate else latest
            self._rated = (now, done)
        return int(self._rate)
