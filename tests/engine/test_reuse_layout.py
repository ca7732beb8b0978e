"""Which stretches are copied, and in which parts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.engine.reuse.layout import MAX_RUNS, Run, choose, cut, find_runs

MIB = 1024 * 1024


@st.composite
def kept_segments(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Some of an archive's segments, which lie one behind the other from its first byte on."""
    lengths = draw(st.lists(st.tuples(st.integers(1, 50), st.booleans()), max_size=60))
    found, offset = [], 0
    for number, (length, kept) in enumerate(lengths):
        if kept:
            found.append((number, offset, length))
        offset += length
    return found


@given(kept_segments())
def test_each_kept_segment_lies_in_exactly_one_run(segments: list[tuple[int, int, int]]) -> None:
    runs = list(find_runs(segments))
    assert [n for run in runs for n in range(run.first, run.last + 1)] == [s[0] for s in segments]
    assert sum(run.size for run in runs) == sum(length for *_, length in segments)
    # Neighbours are one run, never two.
    assert all(one.end < other.start for one, other in pairwise(runs))


@given(kept_segments(), st.integers(1, 200), st.integers(1, 100))
def test_parts_cover_the_chosen_runs_in_order_and_none_is_too_small(
    segments: list[tuple[int, int, int]], least: int, more: int
) -> None:
    runs = choose(find_runs(segments), least)
    assert all(run.size >= least for run in runs)
    largest = 2 * least + more
    parts = cut(runs, largest=largest)
    # Halves of what is longer than two parts' least are still long enough.
    assert all(least <= end - start <= largest for start, end in parts)
    covered = [byte for start, end in parts for byte in range(start, end)]
    assert covered == [byte for run in runs for byte in range(run.start, run.end)]


def test_a_gap_in_the_bytes_parts_what_the_numbers_join() -> None:
    assert len(list(find_runs([(0, 0, 10), (1, 12, 10)]))) == 2


def test_of_too_many_runs_the_largest_are_chosen_and_their_order_stays() -> None:
    runs = [Run(2 * n, 2 * n, 100 * n, 100 * n + 10 + n % 7) for n in range(MAX_RUNS + 500)]
    chosen = choose(runs, 1)
    assert len(chosen) == MAX_RUNS
    assert chosen == sorted(chosen)
    left_out = set(runs) - set(chosen)
    assert max(run.size for run in left_out) <= min(run.size for run in chosen)


def test_a_terabyte_is_copied_in_no_more_parts_than_leave_room_for_new_ones() -> None:
    parts = cut([Run(0, 9, 0, 1024 * 1024 * MIB)])
    assert len(parts) <= 4000
    assert cut([Run(0, 9, 0, 256 * MIB + 1)]) == [(0, 128 * MIB), (128 * MIB, 256 * MIB + 1)]
