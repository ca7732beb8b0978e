"""The difference that is kept says what the difference says, page by page."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.indexes import Node, Tree, indexed, trees
from worker.engine.archive.diff import Change, Counts, diff
from worker.engine.archive.diff_kept import KeptDiff, open_diff

OLD = {b"gone": Node(size=5), b"same": Node(size=9), b"d": Node("d"), b"d/grown": Node(size=1)}
NEW = {b"new": Node(size=7), b"same": Node(size=9), b"d": Node("d"), b"d/grown": Node(size=100)}


def paged(kept: KeptDiff, limit: int) -> list[Change]:
    found: list[Change] = []
    after, more = 0, True
    while more:
        page = kept.page(after, limit)
        assert 0 < len(page.changes) <= limit or not page.more
        found, after, more = found + page.changes, page.last, page.more
    return found


@settings(max_examples=60, deadline=None)
@given(one=trees(), other=trees(), limit=st.integers(1, 4))
def test_it_is_the_difference_and_its_sums(one: Tree, other: Tree, limit: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        indexed(one, name="one") as old,
        indexed(other, name="other") as new,
    ):
        expected, counts = list(diff(old, new)), Counts()
        for change in expected:
            counts.add(change)
        for _ in ("worked out", "read"):
            with open_diff(Path(folder), old, new) as kept:
                assert paged(kept, limit) == expected
                assert kept.counts().as_dict() == counts.as_dict()


def test_it_is_worked_out_once_for_each_pair_and_way(tmp_path: Path) -> None:
    with indexed(OLD, name="old") as old, indexed(NEW, name="new") as new:
        made = []
        for pair in ((old, new), (old, new), (new, old)):
            with open_diff(tmp_path, *pair) as kept:
                made.append([(change.what, change.path) for change in paged(kept, 10)])
                (tmp_path / "files").write_text("")  # what is no difference is let be
            numbers = {path.stat().st_ino for path in tmp_path.glob("*.sqlite3")}
            made.append(numbers)
    assert made[0] == made[2] == [("changed", b"d/grown"), ("removed", b"gone"), ("added", b"new")]
    assert made[4] == [("changed", b"d/grown"), ("added", b"gone"), ("removed", b"new")]
    assert made[1] == made[3] < made[5]


def test_one_that_the_disk_spoilt_is_worked_out_again(tmp_path: Path) -> None:
    with indexed(OLD, name="old") as old, indexed(NEW, name="new") as new:
        with open_diff(tmp_path, old, new) as kept:
            expected = paged(kept, 10)
        (file,) = tmp_path.iterdir()
        file.write_bytes(b"spoilt" * 1000)
        with pytest.raises(sqlite3.DatabaseError), open_diff(tmp_path, old, new) as kept:
            kept.page()
        with open_diff(tmp_path, old, new) as kept:
            assert paged(kept, 10) == expected
