"""The difference of two indexes is what a plain comparison of two trees says."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.indexes import Node, Tree, indexed, trees
from worker.engine.archive.diff import Change, Counts, diff


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Tree, Tree]:
    """Two trees that have much in common."""
    old, other = draw(trees()), draw(trees())
    new = dict(old)
    for path in draw(st.lists(st.sampled_from(sorted(old)), max_size=3)) if old else ():
        new = {p: n for p, n in new.items() if p != path and not p.startswith(path + b"/")}
    for path, node in other.items():
        above = path.rpartition(b"/")[0]
        if not above or new.get(above, Node("f")).kind == "d":
            new = {p: n for p, n in new.items() if not p.startswith(path + b"/")}
            new[path] = node
    return old, new


def changes_of(old: Tree, new: Tree) -> list[Change]:
    with indexed(old) as before, indexed(new) as after:
        return list(diff(before, after))


def differ(one: Node, two: Node) -> bool:
    if one.kind != two.kind:
        return True
    if one.kind == "d":
        return one.mode != two.mode
    return (one.size, one.mtime_ns) != (two.size, two.mtime_ns) or (
        one.kind == "f" and one.mode != two.mode
    )


@settings(max_examples=150, deadline=None)
@given(trees_=pairs())
def test_added_removed_and_changed_are_all_there_is(trees_: tuple[Tree, Tree]) -> None:
    old, new = trees_
    said = {(change.what, change.path) for change in changes_of(old, new)}
    assert said == (
        {("added", path) for path in new.keys() - old.keys()}
        | {("removed", path) for path in old.keys() - new.keys()}
        | {("changed", p) for p in old.keys() & new.keys() if differ(old[p], new[p])}
    )


@settings(max_examples=100, deadline=None)
@given(trees_=pairs())
def test_changes_come_in_path_order_each_once(trees_: tuple[Tree, Tree]) -> None:
    paths = [change.path.split(b"/") for change in changes_of(*trees_)]
    replaced = any(
        change.what == "changed" and "kind" in change.fields for change in changes_of(*trees_)
    )
    assert len(paths) == len({tuple(path) for path in paths})
    if not replaced:  # below a folder that became a file the old comes first, then the new
        assert paths == sorted(paths)


@settings(max_examples=60, deadline=None)
@given(trees_=pairs())
def test_the_way_back_is_the_opposite(trees_: tuple[Tree, Tree]) -> None:
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    forth = {(change.what, change.path) for change in changes_of(*trees_)}
    back = {(opposite[change.what], change.path) for change in changes_of(*reversed(trees_))}
    assert forth == back


@settings(max_examples=30, deadline=None)
@given(tree=trees())
def test_a_tree_does_not_differ_from_itself(tree: Tree) -> None:
    assert changes_of(tree, tree) == []


def test_counts_and_bytes_are_summed() -> None:
    old = {b"gone": Node(size=5), b"same": Node(size=9), b"grown": Node(size=1)}
    new = {b"new": Node(size=7), b"same": Node(size=9), b"grown": Node(size=100)}
    counts = Counts()
    for change in changes_of(old, new):
        counts.add(change)
    assert counts.as_dict() == {
        "added": {"entries": 1, "bytes": 7},
        "removed": {"entries": 1, "bytes": 5},
        "changed": {"entries": 1, "bytes": 100},
    }


def test_what_changed_is_named() -> None:
    old = {b"a": Node(size=1, mtime_ns=1), b"b": Node(mode=0o600), b"c": Node("f"), b"d": Node()}
    new = {b"a": Node(size=2, mtime_ns=2), b"b": Node(mode=0o644), b"c": Node("l"), b"d": Node()}
    assert [(change.path, change.fields) for change in changes_of(old, new)] == [
        (b"a", ("size", "mtime")),
        (b"b", ("mode",)),
        (b"c", ("kind",)),
    ]


def test_a_folder_in_a_files_place_is_one_change_and_all_that_is_in_it() -> None:
    old = {b"x": Node(), b"y": Node("d"), b"y/in": Node()}
    new = {b"x": Node("d"), b"x/in": Node(), b"y": Node()}
    assert [(change.what, change.path) for change in changes_of(old, new)] == [
        ("changed", b"x"),
        ("added", b"x/in"),
        ("changed", b"y"),
        ("removed", b"y/in"),
    ]


def test_a_folders_time_alone_is_no_change() -> None:
    old, new = {b"d": Node("d", mtime_ns=1)}, {b"d": Node("d", mtime_ns=2)}
    assert changes_of(old, new) == []


@settings(max_examples=60, deadline=None)
@given(old=trees(), new=trees())
def test_it_goes_on_behind_any_change(old: Tree, new: Tree) -> None:
    with indexed(old) as before, indexed(new) as after:
        everything = [(change.what, change.path) for change in diff(before, after)]
        for number, (_, path) in enumerate(everything):
            rest = [(change.what, change.path) for change in diff(before, after, after=path)]
            assert rest == everything[number + 1 :]
