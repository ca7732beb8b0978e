"""A drill restores into a scratch folder, proves it, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.engine.test_verify import database
from tests.faults.test_odd_files import make_deep
from tests.support.memory_storage import MemoryStorage
from worker.engine.archive.index_reader import open_index
from worker.engine.backup import run_backup
from worker.engine.catalogue import find_backup
from worker.engine.config import DrillConfig, PlanConfig
from worker.engine.drill import run_drill
from worker.engine.drill_compare import compare
from worker.engine.errors import ArchiveError, HookError, JobStopped, TargetError
from worker.engine.naming import archive_key
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.scratch import DRILL, scratch, sweep

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
KEY = archive_key(PlanConfig(), NOW)


@pytest.fixture(params=[None, "k" * 40], ids=["plain", "encrypted"])
def plan(tmp_path: Path, request: pytest.FixtureRequest) -> PlanConfig:
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "state.json").write_text("{}")
    (data / "sub" / "media").write_bytes(os.urandom(30_000))
    (data / "outside").symlink_to("/mnt/elsewhere")
    (data / "suid").write_text("x")
    (data / "suid").chmod(0o4755)
    database(data / "chats.db")
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", encryption_key=request.param)


@pytest.fixture
def storage(plan: PlanConfig) -> MemoryStorage:
    storage = MemoryStorage()
    run_backup(plan, storage, Progress(), now=NOW)
    return storage


def with_command(plan: PlanConfig, script: str, timeout: float = 60) -> PlanConfig:
    return replace(plan, drill=DrillConfig(command=("sh", "-c", script), timeout=timeout))


def left(plan: PlanConfig) -> list[str]:
    return [path.name for path in plan.temp_dir.iterdir()]


def test_a_drill_restores_compares_and_tells_what_it_proved(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    heard = Heard()
    proof = run_drill(plan, storage, heard, key="latest")
    size = (plan.data_dir / "chats.db").stat().st_size
    assert (proof.key, proof.files, proof.bytes) == (KEY, 5, 30_003 + size)
    assert (proof.compared, proof.databases, proof.command) == (True, 1, False)
    assert proof.bytes_per_second > 0
    assert heard.codes == ["MODE_REDUCED"]
    assert left(plan) == []


def test_the_live_folder_is_neither_needed_nor_touched(
    plan: PlanConfig, storage: MemoryStorage, tmp_path: Path
) -> None:
    away = replace(plan, data_dir=tmp_path / "not-there")
    run_drill(away, storage, Progress(), key=KEY)
    assert not away.data_dir.exists()


def test_the_users_command_runs_in_the_restored_folder_and_is_told_which(
    plan: PlanConfig, storage: MemoryStorage, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    script = f'test -f state.json && test "$PWD" = "$TARKEEP_DRILL_DIR" && env > {told}'
    proof = run_drill(with_command(plan, script), storage, Progress(), key=KEY, job_id="j1")
    assert proof.command
    lines = dict(line.split("=", 1) for line in told.read_text().splitlines())
    assert (lines["TARKEEP_BACKUP_KEY"], lines["TARKEEP_JOB_ID"]) == (KEY, "j1")
    assert not any(name.startswith("BACKUP_") for name in lines)


@pytest.mark.parametrize(
    ("script", "timeout", "said"),
    [("exit 3", 60, "ended with 3"), ("sleep 60", 0.2, "0.2 seconds")],
)
def test_a_command_that_is_not_content_fails_the_drill(
    script: str, timeout: float, said: str, plan: PlanConfig, storage: MemoryStorage
) -> None:
    with pytest.raises(HookError) as failed:
        run_drill(with_command(plan, script, timeout), storage, Progress(), key=KEY)
    assert failed.value.code == "DRILL_COMMAND_FAILED"
    assert said in failed.value.message
    assert left(plan) == []


def test_a_drill_is_stopped_while_the_command_runs(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    class Cancelled(Progress):
        stop = False

        def phase(self, name: str) -> None:
            self.stop = name == "command"

        def checkpoint(self) -> None:
            if self.stop:
                raise JobStopped("The job was cancelled")

    with pytest.raises(JobStopped):
        run_drill(with_command(plan, "sleep 60"), storage, Cancelled(), key=KEY)
    assert left(plan) == []


def test_a_damaged_backup_fails_and_leaves_nothing(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    raw = bytearray(storage.get_bytes(KEY, limit=10**9))
    raw[2000] ^= 1
    storage.put(KEY, bytes(raw))
    with pytest.raises(ArchiveError):
        run_drill(plan, storage, Progress(), key=KEY)
    assert left(plan) == []


def test_too_little_room_is_said_before_anything_is_fetched(
    plan: PlanConfig, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.room.MARGIN", 1 << 60)
    with pytest.raises(TargetError) as refused:
        run_drill(plan, storage, Progress(), key=KEY)
    assert refused.value.code == "TARGET_NO_SPACE"
    assert left(plan) == []


def test_the_folder_may_be_chosen(plan: PlanConfig, storage: MemoryStorage, tmp_path: Path) -> None:
    chosen = replace(plan, drill=DrillConfig(folder=tmp_path / "large-disk"))
    run_drill(chosen, storage, Progress(), key=KEY)
    assert list((tmp_path / "large-disk").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: (data / "state.json").unlink(), "state.json is missing"),
        (lambda data: (data / "state.json").write_text("{ }"), "3 bytes instead of 2"),
        (lambda data: (data / "state.json").chmod(0o600), "mode 600"),
        (lambda data: os.utime(data / "state.json", (1, 1)), "another time"),
        (lambda data: (data / "more").write_text(""), "1 entries that the index does not have"),
        (lambda data: ((data / "outside").unlink(), (data / "outside").mkdir()), "something else"),
    ],
)
def test_each_difference_from_the_index_is_named(
    change: object, said: str, plan: PlanConfig, storage: MemoryStorage
) -> None:
    (plan.data_dir / "state.json").chmod(0o644)
    storage = MemoryStorage()
    run_backup(plan, storage, Progress(), now=NOW)
    run_restore(plan, storage, Progress(), key=KEY, now=NOW)
    with open_index(storage, plan, find_backup(storage, plan, KEY)) as index:
        assert compare(index, plan.data_dir, Progress()) == 7
        before = plan.data_dir.stat()
        change(plan.data_dir)
        os.utime(plan.data_dir, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(ArchiveError) as differs:
            compare(index, plan.data_dir, Progress())
    assert differs.value.code == "DRILL_DIFFERS"
    assert said in differs.value.message


def test_what_a_killed_drill_left_is_removed_by_the_next(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    script = """
import sys, time
from pathlib import Path
from worker.engine.progress import Progress
from worker.engine.scratch import scratch
with scratch(Path(sys.argv[1]), Progress()) as folder:
    (folder / "half").write_text("x")
    print("ready", flush=True)
    time.sleep(600)
"""
    command = [sys.executable, "-c", script, str(plan.temp_dir)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    assert sweep(plan.temp_dir) == []  # in use
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert [name.startswith(DRILL) for name in left(plan)] == [True]
    run_drill(plan, storage, Progress(), key=KEY)
    assert left(plan) == []
    child.stdout.close()


def test_paths_longer_than_the_kernel_takes_are_compared_and_their_databases_checked(
    plan: PlanConfig,
) -> None:
    name, storage = "d" * 60, MemoryStorage()
    make_deep(plan.data_dir, 100, name)
    inner = plan.data_dir.joinpath(*[name] * 20)
    shutil.copy(plan.data_dir / "chats.db", inner / "deep.db")
    run_backup(plan, storage, Progress(), now=NOW)
    proof = run_drill(plan, storage, Progress(), key=KEY)
    assert (proof.compared, proof.databases) == (True, 2)
    (inner / "deep.db").unlink()
    with (
        open_index(storage, plan, find_backup(storage, plan, KEY)) as index,
        pytest.raises(ArchiveError, match="not what the backup's index says"),
    ):
        compare(index, plan.data_dir, Progress())
    shutil.rmtree(plan.data_dir)


def test_two_drills_do_not_sweep_each_other_away(tmp_path: Path) -> None:
    with scratch(tmp_path, Progress()) as one, scratch(tmp_path, Progress()) as two:
        assert one.is_dir()
        assert two.is_dir()
    assert list(tmp_path.iterdir()) == []
