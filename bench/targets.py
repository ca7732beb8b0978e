"""What we want to reach, and whether we did. The figures are for two cores and 2 GiB."""

from __future__ import annotations

from dataclasses import dataclass

from bench.days import DAY
from bench.results import Results
from bench.scenarios import FETCH, FIRST, NEXT_DAY, RESTORE, SMALL, STOPPED, UNCHANGED
from bench.sizes import MIB

OURS, FAST = "Tarkeep, level 6", "Tarkeep, level 1"
RESTIC, PIPE = "restic", "tar, pigz -6, openssl, aws"


@dataclass(frozen=True)
class WallTarget:
    scenario: str
    ours: str
    peer: str
    at_most: float  # of the peer's wall time


WALL = (
    WallTarget(FIRST, OURS, RESTIC, 0.6),
    WallTarget(FIRST, OURS, PIPE, 0.45),
    WallTarget(FIRST, FAST, RESTIC, 0.5),
    WallTarget(RESTORE, OURS, RESTIC, 0.5),
    WallTarget(SMALL, OURS, RESTIC, 0.7),
    WallTarget(f"{UNCHANGED}, {SMALL}", OURS, RESTIC, 0.5),
    WallTarget(f"{DAY}, 200 Mbit/s", OURS, RESTIC, 1.2),
)
PEAK = 200 * MIB
FETCHED = 16 * MIB
REQUESTS = 3  # for one file, beside those for the index and for the manifest that vouches for it
_OF_INDEX = 2
DOWN = 0.5  # of a first backup's wall time
DOWN_NEXT_DAY = 2.0  # seconds
UNCHANGED_SENT = 1 * MIB
DAY_SENT = 1.25  # of restic's


def verdicts(results: Results) -> list[str]:
    """A sentence for each target that the run tells something about."""
    lines = [line for target in WALL if (line := _wall(results, target))]
    for row in results.rows:
        if row.tool in (OURS, FAST) and not row.skipped:
            lines.append(
                _line(f"{row.scenario}, {row.tool}: peak memory", row.peak / MIB, PEAK / MIB, "MiB")
            )
    if (row := results.find(STOPPED, OURS)) and row.costs:
        lines.append(_line(f"{STOPPED}, {OURS}: downtime by wall time", row.downtime, DOWN, ""))
    if (row := results.find(NEXT_DAY, OURS)) and row.costs:
        lines.append(_line(f"{NEXT_DAY}, {OURS}: downtime", row.seconds_down, DOWN_NEXT_DAY, "s"))
    lines += _next(results)
    if row := results.find(FETCH, OURS):
        moved = (row.sent + row.received) / MIB
        lines.append(_line(f"{FETCH}: moved, index included", moved, FETCHED / MIB, "MiB"))
        beside = row.requests - _OF_INDEX
        lines.append(_line(f"{FETCH}: requests beside the index", beside, REQUESTS, ""))
    return lines


def _next(results: Results) -> list[str]:
    """What comes after a first backup."""
    lines = []
    if row := results.find(UNCHANGED, OURS):
        lines.append(
            _line(f"{UNCHANGED}, {OURS}: sent", row.sent / MIB, UNCHANGED_SENT / MIB, "MiB")
        )
    ours, peer = results.find(DAY, OURS), results.find(DAY, RESTIC)
    if ours and peer:
        lines.append(
            _line(f"{DAY}, {OURS}: sent by {RESTIC}'s", ours.sent / peer.sent, DAY_SENT, "")
        )
    return lines


def _wall(results: Results, target: WallTarget) -> str:
    ours = results.find(target.scenario, target.ours)
    peer = results.find(target.scenario, target.peer)
    if ours is None or peer is None or not ours.costs or not peer.costs:
        return ""
    what = f"{target.scenario}, {target.ours}: wall time by {target.peer}'s"
    return _line(what, ours.ratio(peer), target.at_most, "")


def _line(what: str, value: float, limit: float, unit: str) -> str:
    verdict = "met" if value <= limit else "MISSED"
    return f"{verdict:6}  {what} {value:.3g} {unit}".rstrip() + f" (target: {limit:g})"
