"""One trial tells what packs several segments best, if they are alike."""

from __future__ import annotations

from worker.engine.capture.lanes import RawSegment, Slices
from worker.engine.capture.trials import Trials

LONG = 300 * 1024


def alone(name: bytes, size: int = LONG) -> RawSegment:
    return RawSegment([bytes(size)], [(1, 0)], name=name)


def numbers(segments: list[RawSegment]) -> list[int]:
    """Which trial counts for each, 0 for one of its own."""
    trials, seen = Trials(6), [0]
    for segment in segments:
        trial = trials.of(segment)
        seen.append(trial.number if trial else 0)
    order = list(dict.fromkeys(sorted(seen, key=lambda number: (number > 0, seen.index(number)))))
    return [order.index(number) for number in seen[1:]]


def test_files_of_one_kind_in_a_row_share_it_eight_at_most() -> None:
    assert numbers([alone(b"%d.jsonl" % day) for day in range(9)]) == [1] * 8 + [2]


def test_another_kind_is_tried_anew() -> None:
    files = [alone(b"a.log"), alone(b"a.db"), alone(b"b.db"), alone(b"b.log"), alone(b"none")]
    assert numbers(files) == [1, 2, 2, 3, 4]


def test_what_is_too_short_to_be_tried_tells_for_nobody() -> None:
    assert numbers([alone(b"a.log", 1000), alone(b"b.log"), alone(b"c.log", 1000)]) == [0, 1, 0]


def test_slices_and_small_files_have_their_own() -> None:
    piece, many = RawSegment([bytes(LONG)]), RawSegment([bytes(LONG)], [(1, 0), (2, 600)])
    header = RawSegment([bytes(1024)], [(3, 0)], slices=Slices(3, LONG, True), name=b"c.log")
    assert numbers([alone(b"a.log"), piece, many, piece, many]) == [1, 2, 3, 2, 3]
    assert numbers([piece, piece, header, piece, alone(b"a.log")]) == [1, 1, 0, 2, 3]


def test_what_is_stored_is_not_tried() -> None:
    assert numbers([RawSegment([bytes(LONG)], stored=True)]) == [0]
