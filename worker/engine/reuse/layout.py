"""Which stretches of the last archive are copied, and cut into which parts. Pure: no IO.

The new archive begins with the kept segments in their old order, as copied parts; everything
that is packed follows. So no copied part ever comes behind a part that is too small.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

MAX_RUNS = 2000
_LARGEST_PART = 256 * 1024 * 1024  # bytes: a server answers well within a request's time limit
MOST_PIECES = 2000  # beyond one a run: with the runs, half of the 10,000 parts


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


def choose(runs: Iterable[Run], least: int, *, most: int = MAX_RUNS) -> list[Run]:
    """The runs worth a part of their own: at least `least` bytes, and no more than `most`."""
    long = [run for run in runs if run.size >= least]
    largest = sorted(long, key=lambda run: run.size, reverse=True)[:most]
    return sorted(largest)


def cut(
    runs: Iterable[Run], *, largest: int | None = None, pieces: int = MOST_PIECES
) -> list[tuple[int, int]]:
    """The bytes [start, end) of each part: halves, thirds, ... of runs that are too long.

    No more than `pieces` parts beyond one a run.
    """
    runs = list(runs)
    limit = largest or max(_LARGEST_PART, -(-sum(run.size for run in runs) // pieces))
    return [piece for run in runs for piece in _pieces(run, limit)]


def _pieces(run: Run, limit: int) -> Iterator[tuple[int, int]]:
    count = -(-run.size // limit)
    ends = [run.start + run.size * number // count for number in range(count + 1)]
    return pairwise(ends)
