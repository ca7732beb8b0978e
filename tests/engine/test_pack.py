"""What is packed opens with everybody's tools and gives back what went in."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.packing import Heard, pack_folder
from tests.engine.trees import describe
from worker.engine.capture import pipeline
from worker.engine.capture.source import open_source, read_head
from worker.engine.extract.tarread import read_members
from worker.engine.progress import TROUBLE

SEGMENT = 64 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


def extract(archive: bytes, target: Path, tool: list[str]) -> Path:
    target.mkdir()
    subprocess.run([*tool, "-C", str(target)], input=archive, check=True)
    return target / "data"


def fill(folder: Path) -> None:
    (folder / "empty").write_bytes(b"")
    (folder / "text.json").write_text('{"a": 1}' * 5000)
    (folder / "media.jpg").write_bytes(os.urandom(3 * SEGMENT + 17))
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "sub" / "deep" / ("n" * 200)).write_text("a long name")
    (folder / "sub" / "ünïcode").write_text("a name in UTF-8")
    (folder / "link").symlink_to("text.json")
    os.link(folder / "text.json", folder / "zz-hardlink")
    (folder / "script").write_text("#!/bin/sh\n")
    (folder / "script").chmod(0o750)
    os.utime(folder / "text.json", ns=(1, 1_700_000_000_123_456_789))
    os.utime(folder / "empty", ns=(1, -2_177_452_800_000_000_000))  # 1901
    os.utime(folder / "sub", ns=(1, 4_102_444_800_000_000_001))  # 2100


@pytest.mark.parametrize("level", range(1, 10))
def test_gnu_tar_gives_back_the_folder(folder: Path, tmp_path: Path, level: int) -> None:
    fill(folder)
    archive = pack_folder(folder, tmp_path / "work", level=level, segment_size=SEGMENT)
    out = extract(archive, tmp_path / "out", ["tar", "xzf", "-"])
    assert describe(out) == describe(folder)
    assert (out / "text.json").stat().st_ino == (out / "zz-hardlink").stat().st_ino


@pytest.mark.parametrize("size", [100, 100_000, 5 * SEGMENT])
@pytest.mark.parametrize("squeezable", [True, False])
def test_a_hard_link_comes_behind_the_file_that_it_names(
    folder: Path, tmp_path: Path, size: int, squeezable: bool
) -> None:
    for number in range(3):
        content = b"x" * size if squeezable else os.urandom(size)
        (folder / f"{number}-file").write_bytes(content)
        os.link(folder / f"{number}-file", folder / f"{number}-link")
    (folder / "text").write_text("compressible neighbours " * 3000)
    archive = pack_folder(folder, tmp_path / "work", segment_size=SEGMENT)
    out = extract(archive, tmp_path / "out", ["tar", "xzf", "-"])
    assert describe(out) == describe(folder)
    for number in range(3):
        assert (out / f"{number}-file").samefile(out / f"{number}-link")


def test_bsdtar_gives_back_the_folder(folder: Path, tmp_path: Path) -> None:
    if not shutil.which("bsdtar"):
        assert not os.environ.get("CI"), "CI installs bsdtar (libarchive-tools)"
        pytest.skip("bsdtar is not installed")
    fill(folder)
    archive = pack_folder(folder, tmp_path / "work", segment_size=SEGMENT)
    out = extract(archive, tmp_path / "out", ["bsdtar", "xzpf", "-"])
    assert describe(out) == describe(folder)


def test_python_lists_every_member_when_told_to_read_all_gzip_members(
    folder: Path, tmp_path: Path
) -> None:
    fill(folder)
    archive = pack_folder(folder, tmp_path / "work", segment_size=SEGMENT)
    with tarfile.open(fileobj=gzip.GzipFile(fileobj=io.BytesIO(archive)), mode="r|") as tar:
        names = tar.getnames()
    assert "data/sub/deep/" + "n" * 200 in names
    assert names[-1].startswith("data/sub") or names[-1] == "data"


def test_python_stream_mode_stops_early_which_is_why_nothing_here_uses_it(
    folder: Path, tmp_path: Path
) -> None:
    fill(folder)
    archive = pack_folder(folder, tmp_path / "work", segment_size=SEGMENT)
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r|gz") as tar:
            short = len(tar.getnames())
    except tarfile.ReadError:
        short = 0
    with tarfile.open(fileobj=gzip.GzipFile(fileobj=io.BytesIO(archive)), mode="r|") as tar:
        assert short < len(tar.getnames())


def test_the_same_folder_packed_twice_is_the_same_to_the_byte(folder: Path, tmp_path: Path) -> None:
    fill(folder)
    first = pack_folder(folder, tmp_path / "work", segment_size=SEGMENT)
    assert pack_folder(folder, tmp_path / "work", segment_size=SEGMENT) == first


def test_directories_come_last(folder: Path, tmp_path: Path) -> None:
    fill(folder)
    archive = pack_folder(folder, tmp_path / "work")
    with tarfile.open(fileobj=gzip.GzipFile(fileobj=io.BytesIO(archive)), mode="r|") as tar:
        kinds = [member.isdir() for member in tar]
    assert kinds == sorted(kinds)


def test_media_is_stored_and_text_is_squeezed(folder: Path, tmp_path: Path) -> None:
    media, text = os.urandom(1_000_000), b"the same line again\n" * 50_000
    (folder / "media.mp4").write_bytes(media)
    (folder / "log.txt").write_bytes(text)
    archive = pack_folder(folder, tmp_path / "work")
    assert media[:1000] in archive
    assert len(media) < len(archive) < len(media) + len(text) // 20


def test_sockets_and_pipes_are_left_out_and_said(folder: Path, tmp_path: Path) -> None:
    (folder / "a").write_text("a")
    os.mkfifo(folder / "pipe")
    heard = Heard()
    pack_folder(folder, tmp_path / "work", progress=heard)
    assert heard.codes == ["SPECIAL_FILE"]


def test_xattrs_are_kept(folder: Path, tmp_path: Path) -> None:
    (folder / "a").write_text("a")
    names = ("user.note", "user.a=b", "user.50%3D=", "user.%25")
    for name in names:
        os.setxattr(folder / "a", name, b"kept\x00=bytes of " + name.encode())
    archive = pack_folder(folder, tmp_path / "work")
    out = extract(archive, tmp_path / "out", ["tar", "--xattrs", "-xzf", "-"])
    (member, _) = read_members(gzip.GzipFile(fileobj=io.BytesIO(archive)))
    for name in names:
        kept = b"kept\x00=bytes of " + name.encode()
        assert os.getxattr(out / "a", name) == kept
        assert member.xattrs[name.encode()] == kept


def test_names_in_any_bytes_survive(folder: Path, tmp_path: Path) -> None:
    for name in (b"\xff\xfe", b"new\nline", b"-rf", b"*", b"\xe9" * 150):
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_bytes(name)
    archive = pack_folder(folder, tmp_path / "work")
    out = extract(archive, tmp_path / "out", ["tar", "xzf", "-"])
    assert describe(out) == describe(folder)


def test_paths_longer_than_the_kernel_takes_at_once(folder: Path, tmp_path: Path) -> None:
    deep = os.open(folder, os.O_RDONLY)
    for number in range(60):
        name = f"{number:03}" + "x" * 97
        os.mkdir(name, dir_fd=deep)
        inner = os.open(name, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=deep))
    os.close(deep)
    archive = pack_folder(folder, tmp_path / "work")
    with tarfile.open(fileobj=gzip.GzipFile(fileobj=io.BytesIO(archive)), mode="r|") as tar:
        assert max(len(name) for name in tar.getnames()) > 6000


sizes = st.one_of(
    st.integers(0, 2000),
    st.sampled_from([n + d for n in (4096, 8192, 16384, 32768) for d in (-513, -1, 0, 1, 512)]),
)
names = st.text("abcé", min_size=1, max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    tree=st.dictionaries(st.tuples(names, names), st.tuples(sizes, st.booleans()), min_size=1),
    segment=st.sampled_from([4096, 8192, 16384]),
    part=st.sampled_from([1000, 65536, 8 * 1024 * 1024]),
)
def test_any_tree_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    tree: dict[tuple[str, str], tuple[int, bool]],
    segment: int,
    part: int,
) -> None:
    base = tmp_path_factory.mktemp("tree")
    folder = base / "data"
    for (parent, name), (size, noise) in tree.items():
        path = folder / ("d" + parent) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size) if noise else b"x" * size)
    archive = pack_folder(folder, base / "work", segment_size=segment, part=part)
    out = extract(archive, base / "out", ["tar", "xzf", "-"])
    assert describe(out) == describe(folder)


def test_the_index_tells_the_sizes_that_are_in_the_archive(folder: Path, tmp_path: Path) -> None:
    database = folder / "live.db"
    with sqlite3.connect(database, isolation_level=None) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("CREATE TABLE t (x)")
        writer.executemany("INSERT INTO t VALUES (?)", [(bytes(4000),)] * 20)
        small = database.stat().st_size
        archive = pack_folder(folder, tmp_path / "work")
    writer.close()
    out = extract(archive, tmp_path / "out", ["tar", "xzf", "-"])
    with closing(sqlite3.connect(tmp_path / "work" / "index.sqlite3")) as index:
        told = dict(index.execute("SELECT name, size FROM files WHERE kind='f'"))
    assert (out / "live.db").stat().st_size > small
    assert told[b"live.db"] == (out / "live.db").stat().st_size


def test_the_index_tells_the_state_at_reading_not_at_the_scan(folder: Path, tmp_path: Path) -> None:
    log = folder / "app.log"
    log.write_text("one line\n")
    os.utime(log, ns=(1, 10**18))

    class Appending(Heard):
        def totals(self, *, files: int, bytes: int) -> None:
            log.write_text("one line\nand one after the scan\n")

    archive = pack_folder(folder, tmp_path / "work", progress=Appending())
    out = extract(archive, tmp_path / "out", ["tar", "xzf", "-"])
    with closing(sqlite3.connect(tmp_path / "work" / "index.sqlite3")) as index:
        (told,) = index.execute("SELECT size, mtime_ns FROM files WHERE name=?", (b"app.log",))
    info = (out / "app.log").stat()
    assert told == (info.st_size, info.st_mtime_ns)
    assert (out / "app.log").read_text().endswith("after the scan\n")


class Changing(Heard):
    """Does something to a file as soon as a first slice was packed."""

    def __init__(self, change: Callable[[], object]) -> None:
        super().__init__()
        self.change = change

    def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
        if files:
            self.change()


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"and more")


def overwrite(path: Path) -> None:
    append(path)
    with path.open("r+b") as file:
        file.write(b"other")


@pytest.mark.parametrize(
    ("change", "code"),
    [(append, "FILE_GREW"), (overwrite, "FILE_CHANGED"), (Path.touch, "FILE_CHANGED")],
)
def test_what_is_only_appended_to_is_told_apart_from_what_changes(
    folder: Path,
    tmp_path: Path,
    change: Callable[[Path], None],
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "_AHEAD", 0)  # so that not all is read before any is packed
    path, before = folder / "large.log", os.urandom(30 * SEGMENT)
    path.write_bytes(before)
    heard = Changing(lambda: change(path))
    archive = pack_folder(folder, tmp_path / "work", segment_size=SEGMENT, progress=heard)
    assert heard.codes == [code]
    if change is append:
        out = extract(archive, tmp_path / "out", ["tar", "xzf", "-"])
        assert (out / "large.log").read_bytes() == before
        assert "FILE_GREW" not in TROUBLE


def test_a_small_file_that_was_just_being_written_to_is_read_anew(folder: Path) -> None:
    path = folder / "state.json"
    path.write_text("half")
    root = os.open(folder, os.O_RDONLY)
    source = open_source(root, b"state.json")
    path.write_text("half of it, and the rest")
    assert read_head(source, SEGMENT) == b"half of it, and the rest"
    assert (source.size, source.note) == (24, "")
    source.close()
    os.close(root)
