"""Safety copies: which are ours, how long they are kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.support.memory_storage import MemoryStorage
from tests.support.places import MODES, PRIVATE, needs_mounts, place
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig
from worker.engine.errors import StorageError, TargetError
from worker.engine.progress import Progress
from worker.engine.storage import StoredObject
from worker.engine.swap import about
from worker.engine.swap.about import About
from worker.engine.swap.copies import expire, safety_copies
from worker.engine.swap.lock import held
from worker.engine.swap.site import Site, look

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(params=MODES)
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    with place(tmp_path / "place" / "data", request.param) as data:
        (data / "file").write_text("x")
        yield look(data)


def copy(site: Site, age: timedelta, *, failed: bool = False) -> Path:
    made = (site.failed_copy if failed else site.safety_copy)(NOW - age)
    (made / "sub").mkdir(parents=True)
    file = made / "sub" / "file"
    file.write_text("old")
    os.utime(file, (0, 0))
    return made


def expired(site: Site, *, last_backup: datetime, days: int = 7) -> list[Path]:
    return expire(site.live, now=NOW, days=days, last_backup=last_backup).removed


def reasons(site: Site) -> list[str]:
    """Why what is old enough stays."""
    return [one.code for one in expire(site.live, now=NOW, days=7, last_backup=NOW).kept]


def test_they_are_listed_newest_first_and_only_folders_of_our_very_names(site: Site) -> None:
    old, new = copy(site, 2 * DAY), copy(site, DAY)
    second = copy(site, DAY)
    copy(site, DAY, failed=True)
    for odd in (f"{new.name}-x", f"{new.name[:-1]}", new.name.replace("2025", "20x5")):
        (site.workplace / odd).mkdir()
    (site.workplace / new.name.replace("T05", "T25")).mkdir()
    (site.workplace / new.name.replace("T05", "T06")).symlink_to(old)
    found = safety_copies(site.live)
    assert [one.path for one in found] == [second, new, old]
    assert [one.time for one in found] == [NOW - DAY, NOW - DAY, NOW - 2 * DAY]


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize(
    ("age", "backup_age", "kept"),
    [
        (8 * DAY, DAY, False),
        (7 * DAY, 0 * DAY, False),
        (7 * DAY - timedelta(seconds=1), 0 * DAY, True),
        (30 * DAY, 30 * DAY, True),
        (30 * DAY, 31 * DAY, True),
        (30 * DAY, 29 * DAY, False),
    ],
)
def test_one_goes_when_it_is_old_enough_and_a_backup_was_made_since(
    site: Site, age: timedelta, backup_age: timedelta, kept: bool, failed: bool
) -> None:
    made = copy(site, age, failed=failed)
    gone = expired(site, last_backup=NOW - backup_age)
    assert (made.exists(), gone) == (kept, [] if kept else [made])
    assert site.leftovers() == []


def test_with_no_days_it_is_kept_until_the_next_backup(site: Site) -> None:
    made = copy(site, timedelta(minutes=1))
    assert expired(site, last_backup=NOW - DAY, days=0) == []
    assert expired(site, last_backup=NOW, days=0) == [made]


def test_one_with_a_file_written_since_stays_and_says_so(site: Site) -> None:
    made = copy(site, 30 * DAY)
    replaced = int((NOW - 30 * DAY).timestamp()) * 10**9
    about.write(site.about(made.name), About(replaced))
    os.utime(made / "sub" / "file", ns=(replaced, replaced))
    (made / "written").write_text("by an application that was not restarted")
    assert (expired(site, last_backup=NOW), reasons(site)) == ([], ["SAFETY_COPY_IN_USE"])
    (made / "written").unlink()
    assert expired(site, last_backup=NOW) == [made]
    assert not site.about(made.name).exists()


def test_one_that_a_process_works_in_stays_and_says_which(site: Site) -> None:
    made = copy(site, 30 * DAY)
    script = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(made / "sub" / "file")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        done = expire(site.live, now=NOW, days=7, last_backup=NOW)
        assert f"process {reader.pid} " in done.kept[0].message
        reader.communicate()
    assert (made.exists(), expired(site, last_backup=NOW)) == (True, [made])


@needs_mounts
def test_one_that_a_container_has_mounted_still_stays(tmp_path: Path) -> None:
    """A mount goes with the folder when that is renamed; inside it has another name."""
    data, seen = tmp_path / "place" / "data", tmp_path / "seen"
    for folder in (data, seen):
        folder.mkdir(parents=True)
    site = look(data)
    script = f"mount --bind {data} {seen} && echo && read line"
    with subprocess.Popen(
        [*PRIVATE, "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as container:
        assert container.stdout is not None
        container.stdout.readline()
        data.rename(site.safety_copy(NOW - 30 * DAY))
        assert reasons(site) == ["SAFETY_COPY_IN_USE"]
        container.communicate(b"\n")
    assert reasons(site) == []


def test_what_is_not_exactly_ours_stays(site: Site) -> None:
    names = ["data.before-restore-by-hand", "data.old", "other.before-restore-2020"]
    for name in names:
        (site.workplace / name).mkdir()
    assert expired(site, last_backup=NOW) == []
    assert all((site.workplace / name).exists() for name in names)


def test_while_a_restore_runs_nothing_is_removed(site: Site) -> None:
    made = copy(site, 30 * DAY)
    with held(site.lock), pytest.raises(TargetError):
        expired(site, last_backup=NOW)
    assert made.exists()


class Refusing(MemoryStorage):
    """Takes no metadata, so no backup comes to be."""

    def put(
        self, key: str, data: bytes, *, content_type: str = "application/octet-stream"
    ) -> StoredObject:
        if key.endswith(".json") and "metadata" in key:
            raise StorageError("The bucket is full")
        return super().put(key, data, content_type=content_type)


def test_a_backup_that_succeeds_removes_what_it_has_outlived(site: Site, tmp_path: Path) -> None:
    plan = PlanConfig(data_dir=site.live, temp_dir=tmp_path / "temp")
    old, young = copy(site, 8 * DAY), copy(site, DAY)
    run_backup(plan, MemoryStorage(), Progress(), now=NOW)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_backup_that_fails_removes_nothing(site: Site, tmp_path: Path) -> None:
    plan = PlanConfig(data_dir=site.live, temp_dir=tmp_path / "temp")
    old = copy(site, 30 * DAY)
    with pytest.raises(StorageError):
        run_backup(plan, Refusing(), Progress(), now=NOW)
    assert (old / "sub" / "file").read_text() == "old"


def test_one_that_cannot_be_removed_is_a_warning_of_the_backup(site: Site, tmp_path: Path) -> None:
    plan = PlanConfig(data_dir=site.live, temp_dir=tmp_path / "temp")
    old, heard = copy(site, 30 * DAY), Heard()
    with held(site.lock):
        run_backup(plan, MemoryStorage(), heard, now=NOW)
    assert heard.codes == ["SAFETY_COPY_KEPT"]
    assert old.exists()
