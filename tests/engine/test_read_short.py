"""Short files are read in few steps, and nothing comes of that but speed."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.packing import Heard, pack_folder
from tests.engine.test_resume import FailingStorage, break_off, journals
from tests.engine.test_resume import key as key
from tests.engine.test_resume import plan as plan
from tests.engine.test_resume import storage as storage
from worker.engine.archive.index import FILE, FileRow
from worker.engine.capture import pack
from worker.engine.capture.source import SHORT, read_short
from worker.engine.config import PlanConfig
from worker.engine.resume import noting

REAL = os.pread


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "f").write_bytes(b"content")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def seen(path: Path) -> FileRow:
    """As the scan sees it."""
    at = path.lstat()
    return FileRow(
        7, 1, os.fsencode(path.name), FILE, stat.S_IMODE(at.st_mode), at.st_uid, at.st_gid,
        at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino,
    )  # fmt: skip


def test_a_short_file_is_read(folder: int, tmp_path: Path) -> None:
    assert read_short(folder, seen(tmp_path / "f")) == b"content"
    (tmp_path / "f").write_bytes(b"")
    assert read_short(folder, seen(tmp_path / "f")) == b""


def gone(path: Path) -> None:
    path.unlink()


def link(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)  # nobody writes to it: who opens it blockingly waits for ever


def two_names(path: Path) -> None:
    path.with_name("other").hardlink_to(path)


def long(path: Path) -> None:
    path.write_bytes(bytes(SHORT + 1))


def attributes(path: Path) -> None:
    try:
        os.setxattr(path, "user.note", b"1")
    except OSError:
        assert not os.environ.get("CI"), "CI's file system is to know attributes"
        pytest.skip("no attributes on this file system")


@pytest.mark.parametrize("become", [gone, link, directory, pipe, two_names, long, attributes])
def test_whatever_is_special_is_left_to_others(
    become: Callable[[Path], None], folder: int, tmp_path: Path
) -> None:
    row = seen(tmp_path / "f")
    become(tmp_path / "f")
    if os.path.lexists(tmp_path / "f"):
        row = seen(tmp_path / "f")
    before = len(os.listdir("/proc/self/fd"))
    assert read_short(folder, row) is None
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("what", ["written", "grown", "cut", "broken"])
def test_a_file_that_changes_meanwhile_is_left_to_others(
    what: str, folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading(fd: int, size: int, offset: int) -> bytes:
        if what == "broken":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if what == "cut":
            os.truncate(tmp_path / "f", 3)
        content = REAL(fd, size, offset)
        if what in ("written", "grown"):
            (tmp_path / "f").write_bytes(b"CONTENT" if what == "written" else b"content, more")
            os.utime(tmp_path / "f", ns=(1, 1))
        return content

    row = seen(tmp_path / "f")
    monkeypatch.setattr(os, "pread", reading)
    assert read_short(folder, row) is None


def other_content(path: Path) -> None:
    path.write_bytes(b"CONTENT")


def other_content_at_the_same_time(path: Path) -> None:
    at = path.stat().st_mtime_ns
    other_content(path)
    os.utime(path, ns=(at, at))


def another_file(path: Path) -> None:
    at = path.stat().st_mtime_ns
    path.rename(path.with_name("other"))
    other_content_at_the_same_time(path.with_name("other"))
    path.write_bytes(b"content")
    os.utime(path, ns=(at, at))


def other_rights(path: Path) -> None:
    path.chmod(0o600)


@pytest.mark.parametrize(
    "become", [other_content, other_content_at_the_same_time, another_file, other_rights, pipe]
)
def test_a_file_that_is_not_what_the_scan_saw_is_left_to_others(
    become: Callable[[Path], None], folder: int, tmp_path: Path
) -> None:
    row = seen(tmp_path / "f")
    time.sleep(0.02)  # a tick of the file system's clock
    become(tmp_path / "f")
    assert read_short(folder, row) is None


def tree(target: Path) -> None:
    for number in range(40):
        path = target / f"folder-{number % 3}" / f"file-{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(number * 800))
        os.utime(path, ns=(number, 1_700_000_000_000_000_000 + number % 5))
    (target / "wal").write_bytes(b"\x37\x7f\x06\x82 is no log")
    (target / "app.db-wal").write_bytes(b"\x37\x7f\x06\x82 is the log of what cannot be opened")
    (target / "app.db").write_bytes(b"no database")
    two_names(target / "folder-0" / "file-3")
    link(target / "folder-1" / "file-4")


def test_the_archive_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    tree(tmp_path / "data")
    short, slow = Heard(), Heard()
    made = pack_folder(tmp_path / "data", tmp_path / "short", progress=short)
    monkeypatch.setattr(pack, "read_short", lambda *_: None)
    assert pack_folder(tmp_path / "data", tmp_path / "slow", progress=slow) == made
    assert short.warnings == slow.warnings
    assert short.codes == ["SQLITE_COPIED_AS_FILE"]


def noted(plan: PlanConfig, storage: FailingStorage) -> list[object]:
    """What the journal of a backup that broke off says of files."""
    break_off(plan, storage, after=5)
    (journal,) = journals(plan)
    lines = [json.loads(line[9:]) for line in journal.read_bytes().splitlines()]
    journal.unlink()
    return [line["f"] for line in lines if "f" in line]


def test_the_journal_says_the_same_of_them(
    plan: PlanConfig, storage: FailingStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = dataclasses.replace(plan, segment_size=64 * 1024)  # so that several share a segment
    settled: list[Any] = []
    told = noting.Noting.told

    def told_too(self: noting.Noting, *told_of: Any) -> None:
        settled.extend(told_of[2].settled)
        told(self, *told_of)

    monkeypatch.setattr(noting.Noting, "told", told_too)
    short = noted(plan, storage)
    assert settled
    monkeypatch.setattr(pack, "read_short", lambda *_: None)
    slow = noted(plan, storage)
    shorter = min(len(short), len(slow))
    assert shorter > 3
    assert short[:shorter] == slow[:shorter]
