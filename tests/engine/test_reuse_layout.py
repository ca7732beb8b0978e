"""Which stretches are copied, and in which parts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.engine.capture.parts import largest_copy
from worker.engine.capture.pieces import Copy
from worker.engine.reuse.layout import MAX_RUNS, Run, choose, find_runs

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


@settings(deadline=None)
@given(kept_segments())
def test_each_kept_segment_lies_in_exactly_one_run(segments: list[tuple[int, int, int]]) -> None:
    runs = list(find_runs(segments))
    assert [n for run in runs for n in range(run.first, run.last + 1)] == [s[0] for s in segments]
    assert sum(run.size for run in runs) == sum(length for *_, length in segments)
    # Neighbours are one run, never two.
    assert all(one.end < other.start for one, other in pairwise(runs))


@settings(deadline=None)
@given(kept_segments(), st.integers(1, 200), st.integers(0, 50) | st.none())
def test_short_runs_follow_the_long_ones_and_each_kind_keeps_its_order(
    segments: list[tuple[int, int, int]], least: int, worth: int | None
) -> None:
    runs = list(find_runs(segments))
    chosen = choose(runs, least, worth=worth)
    long = [run for run in runs if run.size >= least]
    short = [run for run in runs if worth is not None and worth <= run.size < least]
    assert chosen == long + (short if long else [])


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 100_000), st.integers(1, 5000))
def test_shares_of_a_copy_cover_it_and_none_is_less_than_half_of_the_limit(
    start: int, size: int, largest: int
) -> None:
    copy = Copy("key", "etag", start, start + size)
    shares = copy.shares(largest)
    assert [shares[0].start, shares[-1].end] == [copy.start, copy.end]
    assert all(one.goes_on(other) for one, other in pairwise(shares))
    assert all(share.size <= largest for share in shares)
    assert len(shares) == 1 or all(share.size >= largest // 2 for share in shares)


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
    terabyte = 1024 * 1024 * MIB
    limit = largest_copy(terabyte, max_parts=10_000)
    assert len(Copy("key", "etag", 0, terabyte).shares(limit)) <= 2000
    assert largest_copy(MIB, max_parts=10_000) == 256 * MIB
