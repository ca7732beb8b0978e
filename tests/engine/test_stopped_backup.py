"""A backup that stops the application first: how long, what is saved, and that it runs again."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.engine.trees import describe
from tests.support.memory_storage import MemoryStorage
from worker.engine.backup import run_backup
from worker.engine.capture import run as run_module
from worker.engine.config import PlanConfig
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


def test_without_room_for_a_spool_the_backup_streams_and_says_so(
    plan: PlanConfig, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "fits", lambda folder, size: False)
    watching = Watching(state)
    run_backup(plan, MemoryStorage(), watching, now=NOW)
    assert watching.codes == ["SPOOL_NO_ROOM"]
    assert watching.ran["archiving"] is False
    assert watching.ran["publishing"] is True


class FullBucket(MemoryStorage):
    """Refuses uploads."""

    def start_upload(self, key: str, *, metadata: dict[str, str] | None = None):  # type: ignore[no-untyped-def,override]
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
