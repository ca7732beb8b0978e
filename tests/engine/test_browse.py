"""Looking around in an index: pages put together give the tree, whatever their size."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.indexes import Node, Tree, indexed, trees
from worker.engine.archive.browse import PAGE, list_folder, search, walk
from worker.engine.archive.index_reader import Entry, IndexReader
from worker.engine.cli.listing import as_json, as_line
from worker.engine.errors import ArchiveError


def by_parts(path: bytes) -> list[bytes]:
    return path.split(b"/")


def children(tree: Tree, folder: bytes) -> list[bytes]:
    return sorted(path for path in tree if path.rpartition(b"/")[0] == folder)


def paged(index: IndexReader, folder: bytes, limit: int) -> list[Entry]:
    page = list_folder(index, folder, limit=limit)
    found = page.entries
    while page.more:
        assert len(page.entries) == limit
        page = list_folder(index, folder, after=page.entries[-1].name, limit=limit)
        found = found + page.entries
    return found


def found_by(index: IndexReader, pattern: str, limit: int = PAGE) -> list[bytes]:
    page = search(index, pattern, limit=limit)
    found = page.entries
    while page.more:
        page = search(index, pattern, after=page.entries[-1], limit=limit)
        found = found + page.entries
    assert len(found) == len({entry.id for entry in found})
    return sorted(entry.path for entry in found)


@settings(max_examples=60, deadline=None)
@given(tree=trees(), limit=st.integers(1, 5))
def test_pages_of_any_size_give_each_folder_in_order(tree: Tree, limit: int) -> None:
    with indexed(tree) as index:
        for folder in [b"", *(path for path, node in tree.items() if node.kind == "d")]:
            assert [e.path for e in paged(index, folder, limit)] == children(tree, folder)


@settings(max_examples=60, deadline=None)
@given(tree=trees())
def test_a_walk_meets_everything_once_and_in_path_order(tree: Tree) -> None:
    with indexed(tree) as index:
        walked = [entry.path for entry in walk(index, index.root)]
    assert walked == [b"", *sorted(tree, key=by_parts)]


@settings(max_examples=60, deadline=None)
@given(tree=trees())
def test_every_path_is_found_with_what_the_scan_saw(tree: Tree) -> None:
    with indexed(tree) as index:
        for path, node in tree.items():
            entry = index.entry(path)
            assert (entry.path, entry.name) == (path, by_parts(path)[-1])
            assert (entry.kind, entry.size, entry.mode, entry.mtime_ns) == node
            assert index.path(entry.id) == path


@settings(max_examples=60, deadline=None)
@given(
    tree=trees(),
    pattern=st.text("abAt.%_*?ä", min_size=1, max_size=4),
    limit=st.integers(1, 4),
)
def test_a_search_finds_what_a_plain_look_at_all_names_does(
    tree: Tree, pattern: str, limit: int
) -> None:
    wild = "*" in pattern or "?" in pattern
    whole = (pattern if wild else f"*{pattern}*").replace("a", "A").replace("b", "B")
    whole = whole.replace("t", "T")

    def matches(path: bytes) -> bool:
        name = by_parts(path)[-1].upper().decode("utf-8", "replace")
        return fnmatch.fnmatchcase(name, whole)

    with indexed(tree) as index:
        assert found_by(index, pattern, limit) == sorted(filter(matches, tree))


def test_what_is_not_in_the_archive_is_not_shown() -> None:
    tree = {b"db": Node(), b"db-wal": Node(), b"folder": Node("d"), b"folder/gone": Node()}
    with indexed(tree, gone=frozenset({b"db-wal", b"folder/gone"})) as index:
        assert [entry.path for entry in walk(index, index.root)] == [b"", b"db", b"folder"]
        assert found_by(index, "o") == [b"folder"]
        assert found_by(index, "wal") == []
        assert index.find(b"db-wal") is None


def test_what_could_not_be_saved_is_listed_as_such_and_is_nowhere_else() -> None:
    tree = {b"closed": Node(), b"folder": Node("d"), b"folder/closed": Node(size=9)}
    gone = frozenset({b"closed", b"folder/closed"})
    notes = dict.fromkeys(gone, "FILE_UNREADABLE")
    with indexed(tree, gone=gone, notes=notes) as index:
        (found,) = list_folder(index, b"folder").entries
        assert (found.path, found.is_missing) == (b"folder/closed", True)
        assert (found.size, found.note) == (9, "FILE_UNREADABLE")
        assert found_by(index, "closed") == sorted(gone)
        assert as_json(found)["missing"]
        assert as_line(found, found.name, long=False) == "closed  (not saved: FILE_UNREADABLE)"
        assert [entry.path for entry in walk(index, index.root)] == [b"", b"folder"]
        assert index.find(b"closed") is None


@pytest.mark.parametrize("path", [b"nothing", b"file/below", b"/", b"folder/", b"..", b"folder//a"])
def test_a_path_to_nothing_is_said_as_such(path: bytes) -> None:
    tree = {b"file": Node(), b"folder": Node("d"), b"folder/a": Node()}
    with indexed(tree) as index, pytest.raises(ArchiveError) as caught:
        list_folder(index, path)
    assert caught.value.code == "PATH_NOT_FOUND"


def test_a_file_lists_itself() -> None:
    with indexed({b"file": Node(size=3)}) as index:
        assert [entry.size for entry in list_folder(index, b"file").entries] == [3]


@pytest.mark.parametrize("pattern", ["", "x" * 256, "a\0b"])
def test_a_pattern_out_of_bounds_is_refused(pattern: str) -> None:
    with indexed({}) as index, pytest.raises(ArchiveError) as caught:
        search(index, pattern)
    assert caught.value.code == "PATTERN_INVALID"


@pytest.mark.parametrize("limit", [-1, 0, 10**9])
def test_a_page_is_bounded_whatever_is_asked_for(limit: int) -> None:
    tree = {b"%05d" % number: Node() for number in range(PAGE + 5)}
    with indexed(tree) as index:
        page = list_folder(index, limit=limit)
        assert 1 <= len(page.entries) <= PAGE
        assert page.more
