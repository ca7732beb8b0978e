"""The data folder is the top of a file system of its own, as a volume of a server is."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.memory_storage import MemoryStorage
from tests.support.places import content
from worker.engine.archive.reader import open_archive
from worker.engine.backup import run_backup
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig
from worker.engine.extract.tarread import read_members
from worker.engine.progress import Progress
from worker.engine.restore import run_restore

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """An ext4 file system, mounted."""
    image, top = tmp_path / "image", tmp_path / "data"
    with image.open("wb") as file:
        file.truncate(32 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    top.mkdir()
    subprocess.run(["mount", "-o", "loop", str(image), str(top)], check=True)
    yield top
    subprocess.run(["umount", str(top)], check=True)


def test_lost_and_found_belongs_to_the_file_system_and_stays_where_it_is(
    volume: Path, tmp_path: Path
) -> None:
    plan = PlanConfig(data_dir=volume, temp_dir=tmp_path / "temp")
    storage = MemoryStorage()
    (volume / "state").write_text("saved")
    inode = (volume / "lost+found").stat().st_ino
    run_backup(plan, storage, Progress(), now=NOW)
    backup = find_backup(storage, plan, "latest")
    with open_archive(storage, plan, backup, Progress()) as stream:
        assert [member.path for member in read_members(stream)] == [b"data/state", b"data/"]
    (volume / "state").write_text("later")
    done = run_restore(plan, storage, Progress(), key="latest", now=NOW)
    assert content(volume) == {"state": "saved"}
    assert (volume / "lost+found").stat().st_ino == inode
    assert done.safety_copy is not None
    assert content(done.safety_copy) == {"state": "later"}
    assert not (done.safety_copy / "lost+found").exists()


def test_a_folder_of_that_name_elsewhere_is_the_users_own(tmp_path: Path) -> None:
    plan = PlanConfig(data_dir=tmp_path / "data", temp_dir=tmp_path / "temp")
    storage = MemoryStorage()
    (plan.data_dir / "lost+found").mkdir(parents=True)
    (plan.data_dir / "lost+found" / "note").write_text("mine")
    run_backup(plan, storage, Progress(), now=NOW)
    backup = find_backup(storage, plan, "latest")
    with open_archive(storage, plan, backup, Progress()) as stream:
        assert b"data/lost+found/note" in [member.path for member in read_members(stream)]
