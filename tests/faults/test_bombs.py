"""Row 63: archives that unpack to more than they should cost bounded memory and bounded space."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import hostile
from tests.support.memory_storage import MemoryStorage
from tests.support.places import needs_mounts
from worker.engine.archive.fetch import open_file, open_tar, save
from worker.engine.archive.read_index import open_or_read_index
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig
from worker.engine.errors import EngineError
from worker.engine.naming import archive_key
from worker.engine.progress import Progress
from worker.engine.restore_part import run_restore_part
from worker.engine.verify import run_verify

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
MIB = 1024 * 1024
MOST_RSS = 150 * MIB  # a Python with all of the engine loaded takes about 60
PROBE = Path(__file__).with_name("bomb_probe.py")


def bomb(mebibytes: int, *, said: int | None = None) -> bytes:
    """A tar.gz of one file of zeros, a thousandth as large; `said`: the size that it names."""
    zeros = gzip.compress(bytes(64 * MIB))
    size = mebibytes * MIB if said is None else said
    head = gzip.compress(hostile.GOOD + hostile.header(b"data/bomb", size=size))
    return head + zeros * (mebibytes // 64) + gzip.compress(hostile.END)


def in_child(case: str, folder: Path, archive: bytes = b"") -> dict[str, int | str]:
    """What came of it, and the most memory that the process ever held."""
    (folder / "archive").write_bytes(archive)
    command = [sys.executable, str(PROBE), case, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_row_63_a_gibibyte_of_zeros_is_unpacked_with_little_memory(tmp_path: Path) -> None:
    """Below the bound of the ratio, so it is restored: as a file with a hole."""
    found = in_child("restore", tmp_path, bomb(960))
    assert found["code"] == ""
    assert found["rss"] < MOST_RSS
    file = (tmp_path / "data" / "bomb").stat()
    assert (file.st_size, file.st_blocks * 512 < MIB) == (960 * MIB, True)


def test_row_63_a_million_members_cost_little_memory(tmp_path: Path) -> None:
    found = in_child("members", tmp_path)
    assert (found["code"], found["files"]) == ("", 1_000_000)
    assert found["rss"] < MOST_RSS


def test_row_63_members_past_the_bound_are_refused(tmp_path: Path) -> None:
    found = in_child("too many", tmp_path)
    assert found["code"] == "ARCHIVE_HOSTILE"
    assert found["rss"] < MOST_RSS


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    (tmp_path / "data").mkdir()
    return PlanConfig(data_dir=tmp_path / "data", temp_dir=tmp_path / "temp")


def put(plan: PlanConfig, archive: bytes) -> MemoryStorage:
    storage = MemoryStorage()
    storage.put(archive_key(plan, NOW), archive)
    return storage


def refused(plan: PlanConfig, storage: MemoryStorage, how: str) -> str:
    """The code with which it is refused to get the bomb out in that way."""
    backup = find_backup(storage, plan, archive_key(plan, NOW))
    ways: dict[str, Callable[[], object]] = {
        "get": lambda: save(
            storage, plan, backup, b"bomb", plan.data_dir.parent / "got", Progress()
        ),
        "file": lambda: taken(open_file(storage, plan, backup, b"bomb", Progress())),
        "folder": lambda: taken(open_tar(storage, plan, backup, b"", Progress())),
        "part": lambda: run_restore_part(
            plan, storage, Progress(), key=backup.key, words=["bomb"], now=NOW
        ),
        "index": lambda: taken(open_or_read_index(storage, plan, backup, Progress())),
        "verify": lambda: run_verify(plan, storage, Progress(), key=backup.key),
    }
    with pytest.raises(EngineError) as error:
        ways[how]()
    return error.value.code


def taken(opened) -> None:
    with opened as found:
        for _ in getattr(found, "chunks", found):
            pass


WAYS = ["get", "file", "folder", "part", "index", "verify"]


@pytest.mark.parametrize("how", WAYS)
def test_row_63_whatever_reads_it_through_refuses_more_than_the_highest_ratio(
    how: str, plan: PlanConfig
) -> None:
    storage = put(plan, bomb(64, said=3 * 1024 * MIB))
    assert refused(plan, storage, how) == "ARCHIVE_HOSTILE"
    assert sorted(path.name for path in plan.data_dir.parent.iterdir()) in (
        ["data"], ["data", "temp"], [".tarkeep-data.lock", "data", "temp"],
        [".tarkeep-data.lock", "data"],
    )  # fmt: skip


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@needs_mounts
@pytest.mark.parametrize("how", ["get", "file", "folder", "part"])
def test_row_63_what_is_read_through_takes_no_more_than_there_is_room_for(
    how: str, plan: PlanConfig, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        (disk / "data").mkdir()
        small = replace(plan, temp_dir=disk / "temp", data_dir=disk / "data")
        assert refused(small, put(plan, bomb(64)), how) == "TARGET_NO_SPACE"
        assert list(small.data_dir.iterdir()) == []
