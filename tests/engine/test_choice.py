"""Which part of a backup is meant by a path or a pattern."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.indexes import Node, Tree, indexed, trees
from worker.engine.archive.choice import MOST, Choice
from worker.engine.capture.exclude import Excludes
from worker.engine.errors import ArchiveError

TREE: Tree = {
    b"state.json": Node(),
    b"one": Node("d"),
    b"one/state.json": Node(),
    b"one/key.txt": Node(),
    b"one/deep": Node("d"),
    b"one/deep/state.json": Node(),
    b"a[1].txt": Node(),
    b"a1.txt": Node(),
    b"x.db": Node(),
    b"x.db-wal": Node(),
    b"x.db-shm": Node(),
}


def chosen(*words: str) -> list[str]:
    with indexed(TREE) as index:
        return sorted(entry.path.decode() for entry in Choice(words).entries(index))


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        (["state.json"], ["state.json"]),
        (["/state.json"], ["state.json"]),
        (["./one/key.txt"], ["one/key.txt"]),
        (["one/deep/"], ["one/deep", "one/deep/state.json"]),
        (["one/deep", "one/deep/state.json"], ["one/deep", "one/deep/state.json"]),
        (["*.txt"], ["a1.txt", "a[1].txt", "one/key.txt"]),
        (["/*.txt"], ["a1.txt", "a[1].txt"]),
        (["stat?.json"], ["one/deep/state.json", "one/state.json", "state.json"]),
        (["one/*.json"], ["one/state.json"]),
        (["**/deep/*"], ["one/deep/state.json"]),
        (["a[1].txt"], ["a1.txt"]),
        ([r"/a\[1\].txt"], ["a[1].txt"]),
        (["d??p/"], ["one/deep", "one/deep/state.json"]),
        (["x.db"], ["x.db", "x.db-wal"]),
        (["*.db"], ["x.db", "x.db-wal"]),
        (["state.json", "*.json"], ["one/deep/state.json", "one/state.json", "state.json"]),
    ],
)
def test_paths_and_patterns(words: list[str], paths: list[str]) -> None:
    assert chosen(*words) == paths


@pytest.mark.parametrize("word", ["", "/", ".", "./"])
def test_the_data_folder_itself_is_everything(word: str) -> None:
    if word:
        assert len(chosen(word)) == len(TREE) + 1


@pytest.mark.parametrize("words", [["nothing"], ["state.json", "*.nothing"], ["one/nothing"]])
def test_a_word_that_meets_nothing_is_named(words: list[str]) -> None:
    with pytest.raises(ArchiveError, match="nothing") as caught:
        chosen(*words)
    assert caught.value.code == "PATH_NOT_FOUND"


@pytest.mark.parametrize(
    "words",
    [[], [""], ["a\0b"], ["!one"], ["*" * 9], ["?" * 5000], ["x" * 70_000], ["a"] * (MOST + 1)],
)
def test_words_that_are_none_are_refused(words: list[str]) -> None:
    with pytest.raises(ArchiveError) as caught:
        Choice(words)
    assert caught.value.code == "PATTERN_INVALID"


@settings(max_examples=60, deadline=None)
@given(tree=trees(), data=st.data())
def test_named_paths_mean_themselves_and_all_below(tree: Tree, data: st.DataObject) -> None:
    paths = [path for path in sorted(tree) if b"\xff" not in path]
    words = data.draw(st.lists(st.sampled_from(paths or [b""]), min_size=1, max_size=3))
    expected = {p for p in tree if any(not w or p == w or p.startswith(w + b"/") for w in words)}
    choice = Choice([word.decode() or "/" for word in words])
    with indexed(tree) as index:
        found = [entry.path for entry in choice.entries(index)]
    assert sorted(found) == sorted(expected | ({b""} if b"" in words else set()))
    for path, node in tree.items():
        assert choice(path, folder=node.kind == "d") is (path in expected or b"" in words)


@settings(max_examples=60, deadline=None)
@given(tree=trees(), pattern=st.sampled_from(["*.txt", "a*", "/b*", "?/", "b/*", "**/c*", "[ab]"]))
def test_patterns_mean_what_they_would_exclude(tree: Tree, pattern: str) -> None:
    excludes, choice = Excludes([pattern]), Choice([pattern])
    for path, node in tree.items():
        folder = node.kind == "d"
        assert choice(path, folder=folder) is excludes(path, folder=folder)
