"""What goes into a backup and what stays out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.engine.packing import Heard, pack_folder
from tests.support.memory_storage import MemoryStorage
from tests.support.places import needs_mounts
from worker.engine.backup import run_backup
from worker.engine.capture.exclude import Excludes
from worker.engine.config import PlanConfig
from worker.engine.errors import SourceError

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    for name in ("a.log", "keep.txt", "cache/x", "cache/y", "sub/cache/z", "sub/b.log"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp")


def listed(storage: MemoryStorage, key: str) -> set[str]:
    archive = b"".join(storage.get(key))
    names = subprocess.run(["tar", "tzf", "-"], input=archive, capture_output=True, check=True)
    return {name for name in names.stdout.decode().split() if not name.endswith("/")}


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ((), {"a.log", "keep.txt", "cache/x", "cache/y", "sub/cache/z", "sub/b.log"}),
        (("*.log",), {"keep.txt", "cache/x", "cache/y", "sub/cache/z"}),
        (("cache/",), {"a.log", "keep.txt", "sub/b.log"}),
        (("/cache/",), {"a.log", "keep.txt", "sub/cache/z", "sub/b.log"}),
        (("*", "!keep.txt"), {"keep.txt"}),
        (("*.log", "!a.log"), {"a.log", "keep.txt", "cache/x", "cache/y", "sub/cache/z"}),
    ],
)
def test_patterns_choose_as_git_does(
    plan: PlanConfig, patterns: tuple[str, ...], left: set[str]
) -> None:
    storage = MemoryStorage()
    made = run_backup(replace(plan, exclude=patterns), storage, Heard(), now=NOW)
    assert listed(storage, made.key) == {f"data/{name}" for name in left}
    assert made.files == len(left)


def test_our_own_folders_are_never_saved(plan: PlanConfig) -> None:
    plan = replace(plan, temp_dir=plan.data_dir / "temp")
    (plan.data_dir / ".tarkeep-stage-1").mkdir()
    (plan.data_dir / ".tarkeep-stage-1" / "half").write_text("half a restore")
    storage = MemoryStorage()
    made = run_backup(plan, storage, Heard(), now=NOW)
    assert not [n for n in listed(storage, made.key) if "temp" in n or "tarkeep" in n]


def test_an_unreadable_file_is_a_warning(plan: PlanConfig) -> None:
    broken(plan)
    heard = Heard()
    made = run_backup(plan, MemoryStorage(), heard, now=NOW)
    assert (heard.codes, made.warnings) == (["SQLITE_COPIED_AS_FILE"], 1)


def test_an_unreadable_file_fails_a_strict_run_and_nothing_is_published(plan: PlanConfig) -> None:
    broken(plan)
    storage = MemoryStorage()
    with pytest.raises(SourceError) as caught:
        run_backup(replace(plan, strict=True), storage, Heard(), now=NOW)
    assert caught.value.code == "SOURCE_TROUBLE"
    assert "fake.db" in caught.value.message
    assert not list(storage.list(""))


def broken(plan: PlanConfig) -> None:
    (plan.data_dir / "fake.db").write_bytes(b"SQLite format 3\0" + b"but it is none" * 100)


@needs_mounts
@pytest.mark.parametrize("cross", [False, True])
def test_other_file_systems_are_entered_only_when_asked(plan: PlanConfig, cross: bool) -> None:
    storage, heard = MemoryStorage(), Heard()
    with mounted(plan.data_dir / "sub"):
        (plan.data_dir / "sub" / "there").write_text("on it")
        made = run_backup(replace(plan, cross_file_systems=cross), storage, heard, now=NOW)
    assert heard.codes == ([] if cross else ["OTHER_FILE_SYSTEM"])
    assert ("data/sub/there" in listed(storage, made.key)) is cross


@pytest.mark.row(53)
@needs_mounts
def test_where_all_data_is_mounted_and_left_out_the_hint_names_the_mounts(tmp_path: Path) -> None:
    plan = PlanConfig(data_dir=tmp_path / "data", temp_dir=tmp_path / "temp", exclude=("*.tmp",))
    (plan.data_dir / "media").mkdir(parents=True)
    (plan.data_dir / "x.tmp").write_text("left out")
    with mounted(plan.data_dir / "media"), pytest.raises(SourceError) as caught:
        run_backup(plan, MemoryStorage(), Heard(), now=NOW)
    assert caught.value.code == "SOURCE_EMPTY"
    assert "left out: media; see BACKUP_CROSS_FILE_SYSTEMS" in caught.value.hint
    assert "BACKUP_EXCLUDE leaves out 1 entries" in caught.value.hint


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("size", [1_000_000, 9_000_000])
def test_holes_are_kept_and_cost_nothing(tmp_path: Path, size: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    path = data / "disk.img"
    with path.open("wb") as image:
        image.write(os.urandom(5000))
        image.seek(size // 2)
        image.write(os.urandom(4096))
        image.truncate(size)
    archive = pack_folder(data, tmp_path / "work", segment_size=64 * 1024)
    assert len(archive) < 50_000
    for tool in (["tar", "xzf", "-"], ["bsdtar", "xzf", "-"]):
        out = tmp_path / tool[0]
        out.mkdir()
        subprocess.run([*tool, "-C", str(out)], input=archive, check=True)
        back = out / "data" / "disk.img"
        assert back.read_bytes() == path.read_bytes()
    assert (tmp_path / "tar" / "data" / "disk.img").stat().st_blocks <= path.stat().st_blocks + 8


def test_a_file_of_nothing_but_a_hole_comes_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with (data / "empty.img").open("wb") as image:
        image.truncate(4 * 1024**3)
    archive = pack_folder(data, tmp_path / "work")
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "xzf", "-", "-C", str(tmp_path / "out")], input=archive, check=True)
    assert (tmp_path / "out" / "data" / "empty.img").stat().st_size == 4 * 1024**3


def test_excludes_count_what_they_left_out() -> None:
    excludes = Excludes(("*.log",))
    assert [excludes(name, folder=False) for name in (b"a.log", b"b", b"\xff.log")] == [1, 0, 1]
    assert excludes.count == 2
