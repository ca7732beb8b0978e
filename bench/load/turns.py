"""Backups in turns: alone, watched by a crowd, and beside a stand-in for it (`standin.py`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.load.service import Service

_ROOT = Path(__file__).resolve().parents[2]
Figures = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """So many WebSockets, `slow` of which do not read, and so many requests a second."""

    clients: int
    slow: int
    rate: int


def in_turns(service: Service, size: Size, repeat: int, say: Callable[[str], None]) -> Figures:
    """What each backup took, and `change`: see `changes`."""
    _timed(service)  # the first one warms the page cache
    alone: list[Figures] = []
    watched: list[Figures] = []
    beside: list[Figures] = []
    for turn in range(repeat):
        alone.append(_timed(service))
        with _crowd(service, size) as seen:
            watched.append(_timed(service))
        watched[-1] |= seen
        with _standin(seen["crowd cpu"] / seen["crowd seconds"]):
            beside.append(_timed(service))
        say(f"{turn + 1}: alone {alone[-1]}, watched {watched[-1]}, beside {beside[-1]}")
    found = {"alone": alone, "watched": watched, "beside": beside}
    return {**found, "change": changes(alone, watched, beside)}


def changes(alone: list[Figures], watched: list[Figures], beside: list[Figures]) -> dict[str, str]:
    """What the crowd changes of the wall time, with its own need of the processor and without it.

    `by cpu`: what the web part took more, as a share of all cores.
    """
    walls = [[one["seconds"] for one in runs] for runs in (alone, watched, beside)]
    loads = [median(one["web cpu"] / one["seconds"] for one in runs) for runs in (alone, watched)]
    return {
        "crowd here": _percent(median(walls[1]) / median(walls[0]) - 1),
        "crowd elsewhere": _percent(median(walls[1]) / median(walls[2]) - 1),
        "by cpu": _percent((loads[1] - loads[0]) / (os.cpu_count() or 1)),
    }


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"


def _timed(service: Service) -> Figures:
    before = service.cpu("uvicorn")
    seconds = _backup(service)
    return {"seconds": seconds, "web cpu": round(service.cpu("uvicorn") - before, 2)}


def _backup(service: Service) -> float:
    """From its beginning to its end, by the database's clock. Asks rarely, not to be in the way."""
    with service.client() as tarkeep:
        job: Any = tarkeep.wait(tarkeep.back_up(), every=2)
    begun, ended = (datetime.fromisoformat(job[name]) for name in ("startedAt", "finishedAt"))
    return (ended - begun).total_seconds()


@contextmanager
def _crowd(service: Service, size: Size) -> Iterator[Figures]:
    """What it saw stands in the dictionary when the block is over."""
    counts = [str(number) for number in (size.clients, size.slow, size.rate)]
    seen: Figures = {}
    with _beside("bench.load.clients", str(service.port), service.token, *counts) as said:
        yield seen
        seen |= summary(json.loads(said()))


@contextmanager
def _standin(share: float) -> Iterator[None]:
    with _beside("bench.load.standin", str(share)) as said:
        yield
        said()


@contextmanager
def _beside(*words: str) -> Iterator[Callable[[], str]]:
    """That module as a process, once it is ready; ended by asking for what it has to say."""
    command = [sys.executable, "-m", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, cwd=_ROOT, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield lambda: process.communicate("")[0]


def summary(seen: Figures) -> Figures:
    """Of all that the crowd noted down: how many, how long they waited, and what it took itself."""
    waits = sorted(seen.pop("waits"))
    at: Callable[[float], float] = lambda part: round(  # noqa: E731
        1000 * waits[int(part * (len(waits) - 1))], 1
    )
    cpu, seconds = round(seen.pop("cpu"), 2), round(seen.pop("seconds"), 2)
    times = {"requests": len(waits), "p50 ms": at(0.5), "p95 ms": at(0.95), "p99 ms": at(0.99)}
    return {**seen, **times, "crowd cpu": cpu, "crowd seconds": seconds}
