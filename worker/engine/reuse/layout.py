"""Which stretches of the last archive are copied unread. Pure: no IO.

The new archive begins with the kept segments in their old order; everything that is packed follows.
So what changes often gathers at its end, and what rests at its front.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_RUNS = 2000
MAX_SHORT = 200  # each passes through a temporary object


class Run(NamedTuple):
    """Segments first..last of the last archive, both counted in: its bytes [start, end)."""

    first: int
    last: int
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def find_runs(segments: Iterable[tuple[int, int, int]]) -> Iterator[Run]:
    """Neighbours joined. `segments` are (number, offset, length) in the archive's order."""
    run: Run | None = None
    for number, offset, length in segments:
        if run is not None and (run.last + 1, run.end) == (number, offset):
            run = run._replace(last=number, end=offset + length)
            continue
        if run is not None:
            yield run
        run = Run(number, number, offset, offset + length)
    if run is not None:
        yield run


def choose(
    runs: Iterable[Run], least: int, *, most: int = MAX_RUNS, worth: int | None = None
) -> list[Run]:
    """The runs that are copied: of those with a part of their own, of `least` bytes or more, the
    largest `most`; behind them shorter ones of `worth` bytes or more, where these can be joined.

    Each in their old order. Without a long one there is nothing that others could be joined to.
    """
    runs = list(runs)
    long = _largest((run for run in runs if run.size >= least), most)
    if worth is None or not long:
        return long
    return long + _largest((run for run in runs if worth <= run.size < least), MAX_SHORT)


def _largest(runs: Iterable[Run], most: int) -> list[Run]:
    return sorted(sorted(runs, key=lambda run: run.size, reverse=True)[:most])
