"""A backup that stops the application first: how long, what is saved, and that it runs again."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.engine.packing import Heard
from tests.engine.trees import describe
from tests.support.memory_storage import MemoryStorage
from tests.support.places import needs_mounts
from worker.engine.archive.index_reader import open_index
from worker.engine.backup import run_backup
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig, ReuseConfig
from worker.engine.errors import InstanceError, StorageError
from worker.engine.instances.config import CommandConfig, HookConfig, InstanceConfig

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PASSPHRASE = "correct horse battery staple, and then some"


class Watching(Heard):
    """Notes at each phase whether the application ran."""

    def __init__(self, state: Path) -> None:
        super().__init__()
        self.state = state
        self.ran: dict[str, bool] = {}
        self.effects: list[str] = []

    def phase(self, name: str) -> None:
        self.ran[name] = self.state.exists()

    def record(self, effect: str, **details: object) -> None:
        self.effects.append(effect)
        if effect == "instances":
            assert self.state.exists(), "written down before it is stopped"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A file that exists while the application runs."""
    path = tmp_path / "running"
    path.touch()
    return path


@pytest.fixture
def plan(tmp_path: Path, state: Path) -> PlanConfig:
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "media").write_bytes(os.urandom(3_000_000))
    for number in range(200):
        (data / "sub" / f"{number}.json").write_text(f'{{"n": {number}}}' * 20)
    command = CommandConfig(
        stop=("rm", str(state)), start=("touch", str(state)), status=("test", "-e", str(state))
    )
    return PlanConfig(
        data_dir=data,
        temp_dir=tmp_path / "temp",
        encryption_key=PASSPHRASE,
        segment_size=1024 * 1024,
        stop_instances=True,
        instances=InstanceConfig(drivers=("command",), command=command),
    )


def unpacked(plan: PlanConfig, storage: MemoryStorage, key: str, target: Path) -> Path:
    script = Path(__file__).parents[2] / "scripts" / "tarkeep_decrypt.py"
    plain = subprocess.run(
        ["python3", str(script), "-", "-"],
        input=b"".join(storage.get(key)),
        env={**os.environ, "BACKUP_ENCRYPTION_KEY": PASSPHRASE},
        capture_output=True,
        check=True,
    ).stdout
    target.mkdir()
    subprocess.run(["tar", "xzf", "-", "-C", str(target)], input=plain, check=True)
    return target / "data"


def test_the_application_is_down_only_while_data_is_read(
    plan: PlanConfig, state: Path, tmp_path: Path
) -> None:
    storage, watching = MemoryStorage(), Watching(state)
    made = run_backup(plan, storage, watching, now=NOW)
    assert watching.ran == {
        "preparing": True,
        "stopping": True,
        "scanning": False,
        "capturing": False,
        "archiving": True,
        "publishing": True,
        "pruning": True,
    }
    assert (state.exists(), made.warnings) == (True, 0)
    assert made.downtime > 0
    assert made.metadata.downtime_seconds == made.downtime
    assert describe(unpacked(plan, storage, made.key, tmp_path / "out")) == describe(plan.data_dir)
    assert not list(plan.temp_dir.iterdir())


def test_the_spool_changes_nothing_in_the_archive(plan: PlanConfig) -> None:
    plan = replace(plan, encryption_key=None)
    archives = []
    for stop in (True, False):
        storage = MemoryStorage()
        made = run_backup(replace(plan, stop_instances=stop), storage, Heard(), now=NOW)
        archives.append(b"".join(storage.get(made.key)))
    assert archives[0] == archives[1]


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(place)]
    subprocess.run(mount, check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.row(58)
@needs_mounts
def test_without_room_for_a_spool_the_backup_streams_and_says_so(
    plan: PlanConfig, state: Path, tmp_path: Path
) -> None:
    watching = Watching(state)
    with small_disk(tmp_path / "small", 128) as small:
        run_backup(replace(plan, temp_dir=small), MemoryStorage(), watching, now=NOW)
    assert watching.codes == ["SPOOL_NO_ROOM"]
    assert watching.ran["archiving"] is False
    assert watching.ran["publishing"] is True


@pytest.mark.row(58)
@needs_mounts
@pytest.mark.parametrize(("megabytes", "codes"), [(390, ["SPOOL_NO_ROOM"]), (490, [])])
def test_copies_of_databases_need_room_beside_the_spool(
    plan: PlanConfig, tmp_path: Path, megabytes: int, codes: list[str]
) -> None:
    for name in ("one", "two"):
        with closing(sqlite3.connect(plan.data_dir / name, isolation_level=None)) as db:
            db.execute("CREATE TABLE t (a)")
            db.execute("INSERT INTO t VALUES (zeroblob(45000000))")
    heard = Heard()
    with small_disk(tmp_path / "small", megabytes) as small:
        run_backup(replace(plan, temp_dir=small), MemoryStorage(), heard, now=NOW)
    assert heard.codes == codes


@pytest.mark.row(58)
@needs_mounts
def test_a_spool_that_finds_no_room_any_more_is_done_without(
    plan: PlanConfig, state: Path, tmp_path: Path
) -> None:
    storage, watching = MemoryStorage(), Watching(state)
    with small_disk(tmp_path / "small", 300) as small:
        filling = f"rm {state}; fallocate -l 250M {small}/of-another || true"
        command = replace(plan.instances.command, stop=("sh", "-c", filling))
        full = replace(plan, temp_dir=small, instances=replace(plan.instances, command=command))
        made = run_backup(full, storage, watching, now=NOW)
    assert watching.codes == ["SPOOL_NO_ROOM"]
    assert (made.warnings, state.exists()) == (1, True)
    assert watching.effects.count("instances") == 2
    assert describe(unpacked(plan, storage, made.key, tmp_path / "out")) == describe(plan.data_dir)


def test_two_stops_of_one_run_both_count(plan: PlanConfig, state: Path) -> None:
    storage, heard = MemoryStorage(), Heard()
    plan = replace(plan, reuse=ReuseConfig(least_copy=200, settled=-(10**18)))
    first = run_backup(plan, storage, heard, now=NOW)
    damage(plan, storage, first.key)
    pause = f"sleep 0.5; touch {state}"
    command = replace(plan.instances.command, start=("sh", "-c", pause))
    slow = replace(plan, instances=replace(plan.instances, command=command))
    os.mkfifo(plan.data_dir / "pipe")
    made = run_backup(slow, storage, heard, now=NOW + timedelta(days=1))
    assert heard.codes == ["COPY_DAMAGED", "SPECIAL_FILE", "SPECIAL_FILE"]
    assert made.warnings == 3
    assert made.downtime > 1  # no less than two starts take
    assert made.metadata.downtime_seconds == made.downtime


def damage(plan: PlanConfig, storage: MemoryStorage, key: str) -> None:
    """In each segment one bit; what vouches for them stays as it is."""
    content, found = storage.objects[key]
    rotten = bytearray(content)
    with open_index(storage, plan, find_backup(storage, plan, key)) as index:
        for offset, length in index.query("SELECT offset, length FROM segments"):
            rotten[offset + length // 2] ^= 1
    storage.objects[key] = (bytes(rotten), found)


class FullBucket(MemoryStorage):
    """Refuses uploads."""

    def start_upload(self, key: str, **how: Any) -> NoReturn:
        raise StorageError("The bucket is full.")


def test_a_failed_upload_leaves_the_application_running(plan: PlanConfig, state: Path) -> None:
    with pytest.raises(StorageError):
        run_backup(plan, FullBucket(), Heard(), now=NOW)
    assert state.exists()


def test_an_application_that_cannot_be_stopped_aborts_the_backup(
    plan: PlanConfig, state: Path
) -> None:
    stubborn = replace(plan.instances.command, stop=("false",))
    plan = replace(plan, instances=replace(plan.instances, command=stubborn))
    storage = MemoryStorage()
    with pytest.raises(InstanceError):
        run_backup(plan, storage, Heard(), now=NOW)
    assert state.exists()
    assert not list(storage.list(""))


def test_asked_to_stop_without_a_driver_is_said(plan: PlanConfig) -> None:
    heard = Heard()
    run_backup(replace(plan, instances=InstanceConfig()), MemoryStorage(), heard, now=NOW)
    assert heard.codes == ["INSTANCES_NO_DRIVER"]


def test_hooks_run_before_and_after(plan: PlanConfig, tmp_path: Path) -> None:
    log = tmp_path / "hooks"
    script = f'echo "$TARKEEP_HOOK $TARKEEP_RESULT" >> {log}'
    hook = ("sh", "-c", script)
    plan = replace(plan, hooks=HookConfig(pre=hook, post=hook, on_error=hook))
    run_backup(plan, MemoryStorage(), Heard(), now=NOW)
    with pytest.raises(StorageError):
        run_backup(plan, FullBucket(), Heard(), now=NOW)
    assert log.read_text().splitlines() == [
        "pre ",
        "post SUCCEEDED",
        "pre ",
        "on_error STORAGE_FAILED",
    ]
