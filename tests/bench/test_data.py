"""The data that benchmarks run on, and the comparison of trees."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from bench import generate, mutate, trees
from bench.errors import BenchError
from bench.sizes import MIB, parse_size


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "chat"
    generate.chat(folder, 16 * MIB, seed=7)
    return folder


@pytest.fixture
def copy(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "copy")


def share(tree, pattern):
    whole = sum(p.stat().st_size for p in tree.rglob("*") if p.is_file())
    return sum(p.stat().st_size for p in tree.rglob(pattern)) / whole


def test_the_same_seed_gives_the_same_tree_and_another_one_does_not(tree, tmp_path):
    generate.chat(tmp_path / "again", 16 * MIB, seed=7)
    trees.same(tree, tmp_path / "again")
    generate.chat(tmp_path / "other", 16 * MIB, seed=8)
    with pytest.raises(BenchError):
        trees.same(tree, tmp_path / "other")


def test_the_bytes_are_media_databases_and_text_as_promised(tree):
    assert share(tree, "*.jpg") == pytest.approx(0.45, abs=0.02)
    assert share(tree, "*.sqlite3") == pytest.approx(0.35, abs=0.02)
    assert share(tree, "*.json*") == pytest.approx(0.20, abs=0.02)


def test_databases_are_sound_and_closed(tree):
    (path,) = tree.rglob("*.sqlite3")
    assert not list(tree.rglob("*-wal"))
    with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_many_small_files_are_as_many_as_asked_for(tmp_path):
    generate.small_files(tmp_path / "small", 501)
    assert len(list(tmp_path.rglob("*.json"))) == 501


def test_a_day_is_the_same_for_the_same_seed(copy, tree, tmp_path):
    again = shutil.copytree(tree, tmp_path / "again")
    assert mutate.mutate(copy) == mutate.mutate(again)
    assert _contents(copy) == _contents(again) != _contents(tree)


def test_a_day_touches_about_a_fifth_of_much_data(tmp_path):
    generate.chat(tmp_path / "chat", 160 * MIB)
    day = mutate.mutate(tmp_path / "chat")
    assert 0.15 < day.touched / (160 * MIB) < 0.35
    assert day.deleted


@pytest.mark.parametrize("change", ["content", "time", "mode", "name"])
def test_trees_that_differ_are_told_apart(copy, tree, change):
    path = sorted(copy.rglob("*.jpg"))[3]
    if change == "content":
        info = path.stat()
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        generate.os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns))
    elif change == "time":
        path.touch()
    elif change == "mode":
        path.chmod(0o600)
    else:
        path.rename(path.with_name("another"))
    with pytest.raises(BenchError):
        trees.same(tree, copy)


@pytest.mark.parametrize(
    ("text", "size"), [("2GiB", 2 << 30), ("16M", 16 << 20), ("5 kb", 5120), ("1000", 1000)]
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "1.5GiB", "2TiB", "-1"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="no size"):
        parse_size(text)


def _contents(tree):
    return [(name, digest) for name, _, _, digest in trees.entries(tree)]
