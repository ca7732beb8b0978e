"""Rows 64, 65, 66, 69, 70 and 71 of the fault matrix: a restore never makes things worse.

Row 67 is in `test_kill_points.py`, row 68 in `test_power_loss.py`; more ways to be mounted are in
`tests/engine/test_restore_places.py`.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backups_app import services
from backups_app.models import Trigger
from tests.engine.packing import Heard
from tests.engine.test_undo import LATER, SAVED, fill
from tests.faults.test_kill_points import Scene, check_bucket, check_folder, prepare, scene
from tests.support.memory_storage import MemoryStorage
from tests.support.places import MODES, content, leftovers, needs_mounts, place
from tests.support.service import KEY, claimed_job, service
from tests.support.writer import end
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig, RestoreConfig
from worker.engine.errors import InstanceError, SourceError, TargetError
from worker.engine.instances.config import CommandConfig, InstanceConfig, StopPolicy
from worker.engine.instances.drivers import open_drivers
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.room import MARGIN
from worker.engine.swap.copies import safety_copies
from worker.engine.swap.site import ENTRIES, EXCHANGE
from worker.engine.undo import run_undo

__all__ = ["scene", "service"]

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
STOPPING = RestoreConfig(stop_instances=True)


def later(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def saved_then_changed(plan: PlanConfig) -> MemoryStorage:
    """The plan's folder was backed up, and changed since."""
    storage = MemoryStorage()
    fill(plan.data_dir, SAVED)
    run_backup(plan, storage, Progress(), now=NOW)
    fill(plan.data_dir, LATER)
    return storage


def restore(plan: PlanConfig, storage: MemoryStorage, progress: Progress | None = None):
    return run_restore(plan, storage, progress or Progress(), key="latest", now=later(1))


@pytest.fixture(params=MODES)
def live(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    with place(tmp_path / "place" / "data", request.param) as data:
        yield data


class At(Heard):
    """Does something when a phase begins."""

    def __init__(self, name: str, deed: Callable[[], object]) -> None:
        super().__init__()
        self.name, self.deed = name, deed
        self.phases: list[str] = []

    def phase(self, name: str) -> None:
        self.phases.append(name)
        if name == self.name:
            self.deed()


# Row 64: no room.


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Path]:
    """A small disk with a data folder on it."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        (folder / "data").mkdir()
        (folder / "data" / "state").write_text("later")
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def take(folder: Path, size: int) -> None:
    with (folder / f"ballast-{size}").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


@pytest.fixture
def backup_of_8_mib(tmp_path: Path) -> MemoryStorage:
    storage, data = MemoryStorage(), tmp_path / "source"
    data.mkdir()
    (data / "large").write_bytes(os.urandom(8 * MIB))
    run_backup(PlanConfig(data_dir=data, temp_dir=tmp_path), storage, Progress(), now=NOW)
    return storage


@needs_mounts
@pytest.mark.parametrize(("spare", "fits"), [(-MIB, False), (MIB, True)])
def test_row_64_a_disk_short_by_one_mebibyte_is_refused_before_a_byte_is_fetched(
    spare: int, fits: bool, backup_of_8_mib: MemoryStorage, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk", "size=64m") as folder:
        take(folder, free(folder) - 8 * MIB - MARGIN - spare)
        plan, told = PlanConfig(data_dir=folder / "data"), At("", lambda: None)
        if fits:
            restore(plan, backup_of_8_mib, told)
            assert (plan.data_dir / "large").stat().st_size == 8 * MIB
            return
        with pytest.raises(TargetError) as refused:
            restore(plan, backup_of_8_mib, told)
        assert refused.value.code == "TARGET_NO_SPACE"
        assert told.phases == ["preparing"]
        assert content(plan.data_dir) == {"state": "later"}


@needs_mounts
def test_row_64_a_disk_that_somebody_else_fills_meanwhile_rolls_back(
    backup_of_8_mib: MemoryStorage, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk", "size=64m") as folder:
        plan = PlanConfig(data_dir=folder / "data")
        filling = At("fetching", lambda: take(folder, free(folder) - MIB))
        with pytest.raises(TargetError) as refused:
            restore(plan, backup_of_8_mib, filling)
        assert refused.value.code == "TARGET_NO_SPACE"
        assert content(plan.data_dir) == {"state": "later"}
        assert leftovers(plan.data_dir) == []


@needs_mounts
@pytest.mark.parametrize(("inodes", "phases"), [(80, ["preparing"]), (130, None)])
def test_row_64_a_disk_without_inodes_is_refused_or_rolls_back(
    inodes: int, phases: list[str] | None, tmp_path: Path
) -> None:
    source, storage = tmp_path / "source", MemoryStorage()
    source.mkdir()
    fill(source, {str(number): "x" for number in range(50)})
    run_backup(PlanConfig(data_dir=source, temp_dir=tmp_path), storage, Progress(), now=NOW)
    with disk(tmp_path / "disk", f"size=64m,nr_inodes={inodes}") as folder:
        plan = PlanConfig(data_dir=folder / "data")
        told = At("fetching", lambda: use_up_inodes(folder))
        with pytest.raises(TargetError) as refused:
            restore(plan, storage, told)
        assert refused.value.code == "TARGET_NO_SPACE"
        assert phases in (None, told.phases)
        assert content(plan.data_dir) == {"state": "later"}
        assert leftovers(plan.data_dir) == []


def use_up_inodes(folder: Path) -> None:
    for number in range(os.statvfs(folder).f_favail - 10):
        (folder / f"taken-{number}").touch()


# Row 65: the disk fails.

EIO = [
    *[(mode, f"fsync:error=EIO:when={n}") for mode in MODES for n in range(1, 9)],
    *[(mode, f"fsync:error=EIO:when={n}+") for mode in MODES for n in (4, 6)],
    *[(mode, "syncfs:error=EIO") for mode in MODES],
    *[(EXCHANGE, f"renameat2:error=EIO:when={n}") for n in (1, 2)],
    *[(ENTRIES, f"renameat2:error=EIO:when={n}") for n in (1, 2, 5)],
    (ENTRIES, "renameat2:error=EIO:when=3+"),
]


def traced(scene: Scene, fault: str, kind: str = "restore") -> subprocess.CompletedProcess[str]:
    """A restore in a process for which that system call fails."""
    call = fault.partition(":")[0]
    tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e"]
    job = [sys.executable, "-m", "tests.faults.dying_job", kind, str(scene.base)]
    return subprocess.run(
        [*tracer, f"inject={fault}", *job],
        env=scene.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("mode", "fault"), EIO, ids=str)
def test_row_65_a_disk_that_fails_at_any_sync_or_rename_leaves_all_old_or_all_new(
    mode: str, fault: str, scene: Scene
) -> None:
    with place(scene.live, mode):
        prepare(scene, "restore", mode)
        done = traced(scene, fault)
        if done.returncode == 0:
            assert content(scene.live) == SAVED
        scene.bury("restore")
        check_folder(scene, "restore", mode)
        check_bucket(scene)
        assert scene.running == ["one", "two"]


@pytest.mark.django_db(transaction=True)
def test_row_65_what_could_not_be_synced_is_not_put_in_place(scene: Scene) -> None:
    prepare_exchange(scene)
    done = traced(scene, "syncfs:error=EIO")
    assert "TARGET_UNWRITABLE" in done.stderr
    assert (content(scene.live), safety_copies(scene.live)) == (LATER, [])
    assert leftovers(scene.live) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", ["EXDEV", "EBUSY", "EINVAL"])
def test_row_65_a_folder_that_cannot_be_exchanged_is_replaced_in_another_way(
    error: str, scene: Scene
) -> None:
    prepare_exchange(scene)
    done = traced(scene, f"renameat2:error={error}:when=1")
    assert done.returncode == 0, done.stderr
    check_folder(scene, "restore", EXCHANGE)
    assert content(scene.live) == SAVED
    assert scene.running == ["one", "two"]


def prepare_exchange(scene: Scene) -> None:
    scene.live.mkdir(parents=True)
    prepare(scene, "restore", EXCHANGE)


# Row 66: mounts, volumes, links.


def test_row_66_the_way_to_swap_is_chosen_by_looking(tmp_path: Path) -> None:
    for mode in MODES:
        with place(tmp_path / mode / "data", mode) as data:
            plan = PlanConfig(data_dir=data, temp_dir=tmp_path / "temp")
            done = restore(plan, saved_then_changed(plan))
            assert (done.mode, content(data)) == (mode, SAVED)
            assert content(done.safety_copy) == LATER


def test_row_66_behind_a_link_the_folder_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "elsewhere" / "real", tmp_path / "data"
    real.mkdir(parents=True)
    link.symlink_to(real)
    plan = PlanConfig(data_dir=real, temp_dir=tmp_path / "temp")
    storage = saved_then_changed(plan)
    done = restore(replace(plan, data_dir=link), storage)
    assert link.is_symlink()
    assert (content(real), done.safety_copy.parent) == (SAVED, real.parent)


@pytest.mark.parametrize("kind", ["restore", "undo"])
def test_no_sidecar_of_the_replaced_database_is_left_beside_the_restored_one(
    kind: str, live: Path, tmp_path: Path
) -> None:
    plan, storage = PlanConfig(data_dir=live, temp_dir=tmp_path / "temp"), MemoryStorage()
    fill(live, {})
    database(live / "app.db", "saved")
    run_backup(plan, storage, Progress(), now=NOW)
    killed_amid_writing(live / "app.db")
    assert {"app.db-wal", "app.db-shm"} <= {path.name for path in live.iterdir()}
    restore(plan, storage)
    if kind == "undo":  # there and back again: the restored one meets no sidecar either
        run_undo(plan, Progress(), now=later(2))
        assert (live / "app.db-wal").exists()
        run_undo(plan, Progress(), now=later(3))
    assert not list(live.glob("app.db-*"))
    with sqlite3.connect(live / "app.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT word FROM words").fetchall() == [("saved",)]
    connection.close()


def database(file: Path, word: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE words (word)")
    connection.execute("INSERT INTO words VALUES (?)", (word,))
    connection.commit()
    connection.close()


def killed_amid_writing(file: Path) -> None:
    """Leaves a write-ahead log with rows that are in no backup."""
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.executemany('INSERT INTO words VALUES (?)', [('later',)] * 500); c.commit();"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=False)


# Row 69: one at a time.


@pytest.fixture
def plan(live: Path, tmp_path: Path) -> PlanConfig:
    return PlanConfig(data_dir=live, temp_dir=tmp_path / "temp")


def test_row_69_while_a_backup_reads_no_restore_begins(plan: PlanConfig) -> None:
    storage = saved_then_changed(plan)
    refused: list[str] = []

    def intrude() -> None:
        with pytest.raises(TargetError) as busy:
            restore(plan, storage)
        refused.append(busy.value.code)

    run_backup(plan, storage, At("archiving", intrude), now=later(1))
    assert (refused, content(plan.data_dir)) == (["TARGET_BUSY"], LATER)
    restore(plan, storage)


@pytest.mark.parametrize("phase", ["fetching", "swapping"])
def test_row_69_while_a_restore_runs_no_backup_and_no_other_restore_begins(
    phase: str, plan: PlanConfig
) -> None:
    storage = saved_then_changed(plan)
    refused: list[str] = []

    def intrude() -> None:
        with pytest.raises(SourceError) as busy:
            run_backup(plan, storage, Progress(), now=later(2))
        refused.append(busy.value.code)
        with pytest.raises(TargetError) as second:
            restore(plan, storage)
        refused.append(second.value.code)

    restore(plan, storage, At(phase, intrude))
    assert refused == ["SOURCE_BUSY", "TARGET_BUSY"]
    assert content(plan.data_dir) == SAVED
    run_backup(plan, storage, Progress(), now=later(3))


@pytest.mark.django_db
def test_row_69_over_the_api_a_restore_waits_for_no_backup_but_is_refused(service) -> None:
    active = claimed_job()
    with pytest.raises(services.JobActive) as busy:
        services.start_restore(key=KEY, trigger=Trigger.API, requested_by="ana")
    assert busy.value.job == active


# Row 70: an application that writes while the folder is replaced.


@pytest.fixture
def writing(plan: PlanConfig, tmp_path: Path) -> Iterator[tuple[PlanConfig, MemoryStorage]]:
    """An application that has `log` in the data folder open and writes to it all the time."""
    storage, app = saved_then_changed(plan), tmp_path / "app"
    app.mkdir()
    (app / "one.log").symlink_to(plan.data_dir / "log")
    tool = (sys.executable, str(ROOT / "tests" / "support" / "appctl.py"), str(app))
    commands = [(*tool, verb, "{id}") for verb in ("stop", "start", "status")]
    command = CommandConfig(*commands, ids=("one",))
    subprocess.run([*tool, "start", "one"], check=True)
    instances = InstanceConfig(drivers=("command",), command=command)
    try:
        yield replace(plan, instances=instances), storage
    finally:
        end(app, "one")


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


def test_row_70_an_application_that_writes_on_is_told_of_with_the_file(
    writing: tuple[PlanConfig, MemoryStorage],
) -> None:
    plan, storage = writing
    heard = Heard()
    done = restore(plan, storage, heard)
    assert content(plan.data_dir) == SAVED
    assert "STILL_OPEN" in heard.codes
    assert done.warnings == len(heard.codes)
    written = lines(done.safety_copy / "log")
    assert written == [str(number) for number in range(len(written))]


def test_row_70_an_application_that_is_stopped_writes_nothing_to_the_old_folder(
    writing: tuple[PlanConfig, MemoryStorage],
) -> None:
    plan, storage = writing
    heard = Heard()
    done = restore(replace(plan, restore=STOPPING), storage, heard)
    assert heard.codes == []
    assert done.downtime > 0
    ended = lines(done.safety_copy / "log")
    assert open_drivers(plan.instances)[0].running() == ["one"]
    assert lines(done.safety_copy / "log") == ended


def test_row_70_what_is_written_to_the_old_folder_after_the_swap_is_told_of(
    plan: PlanConfig,
) -> None:
    storage = saved_then_changed(plan)

    class Late(Heard):
        def phase(self, name: str) -> None:
            if name == "finishing":
                (copy,) = safety_copies(plan.data_dir)
                (copy.path / "new").write_text("written too late")

    heard = Late()
    restore(plan, storage, heard)
    assert [(one.code, one.path) for one in heard.warnings] == [("WRITTEN_MEANWHILE", "new")]


# Row 71: the application is not well on what was restored.


@pytest.fixture
def app(plan: PlanConfig, tmp_path: Path) -> PlanConfig:
    """Two instances that run."""
    (tmp_path / "running").mkdir()
    for name in ("one", "two"):
        (tmp_path / "running" / name).touch()
    file = f"{tmp_path}/running/{{id}}"
    command = CommandConfig(
        ("rm", "-f", file), ("touch", file), ("test", "-e", file), ("one", "two")
    )
    policy = StopPolicy(ready_timeout=0.5, pause=0.1)
    instances = InstanceConfig(drivers=("command",), command=command, policy=policy)
    return replace(plan, restore=STOPPING, instances=instances)


def running(plan: PlanConfig) -> list[str]:
    folder = Path(plan.instances.command.start[1]).parent
    return sorted(path.name for path in folder.iterdir())


def well_with(plan: PlanConfig, file: str, *, fails: str) -> PlanConfig:
    """The application starts, or is well, only while the data folder holds that file."""
    there = f"test -e {shlex.quote(str(plan.data_dir / file))}"
    if fails == "health":
        policy = replace(plan.instances.policy, health_command=("sh", "-c", there))
        return replace(plan, instances=replace(plan.instances, policy=policy))
    start = ("sh", "-c", f'{there} && touch "$0"', plan.instances.command.start[1])
    command = replace(plan.instances.command, start=start)
    return replace(plan, instances=replace(plan.instances, command=command))


@pytest.mark.parametrize("fails", ["health", "start"])
def test_row_71_an_application_not_well_on_it_gets_its_old_folder_back(
    fails: str, app: PlanConfig
) -> None:
    storage = saved_then_changed(app)
    with pytest.raises(InstanceError) as unhealthy:
        restore(well_with(app, "new", fails=fails), storage)
    assert unhealthy.value.code == "RESTORE_UNHEALTHY"
    assert "runs on it again" in unhealthy.value.message
    assert (content(app.data_dir), running(app)) == (LATER, ["one", "two"])
    assert (safety_copies(app.data_dir), leftovers(app.data_dir)) == ([], [])
    (kept,) = [*app.data_dir.parent.glob("data.failed-*"), *app.data_dir.glob(".tarkeep-failed-*")]
    assert content(kept) == SAVED
    assert str(kept) in unhealthy.value.hint


def test_row_71_one_not_well_on_either_folder_is_said_to_be_so(app: PlanConfig) -> None:
    storage = saved_then_changed(app)
    with pytest.raises(InstanceError, match="still not well"):
        restore(well_with(app, "nowhere", fails="health"), storage)
    assert (content(app.data_dir), running(app)) == (LATER, ["one", "two"])


def test_row_71_an_undo_that_does_not_go_well_is_undone_and_its_copy_kept(app: PlanConfig) -> None:
    storage = saved_then_changed(app)
    before = restore(app, storage).safety_copy
    with pytest.raises(InstanceError) as unhealthy:
        run_undo(well_with(app, "sub/inner", fails="health"), Progress(), now=later(2))
    assert unhealthy.value.code == "RESTORE_UNHEALTHY"
    assert (content(app.data_dir), running(app)) == (SAVED, ["one", "two"])
    assert [copy.path for copy in safety_copies(app.data_dir)] == [before]


def test_row_71_where_there_was_no_folder_there_is_none_again(app: PlanConfig) -> None:
    storage = saved_then_changed(app)
    new = replace(app, data_dir=app.temp_dir / "new" / "data")
    with pytest.raises(InstanceError):
        restore(well_with(new, "nowhere", fails="health"), storage)
    assert [path.name for path in new.data_dir.parent.iterdir() if not path.is_file()] == [
        "data.failed-restore-2025-08-29T05-01-00-000Z"
    ]


def test_row_71_instances_are_stopped_for_the_swap_alone_and_only_those_that_ran(
    app: PlanConfig, tmp_path: Path
) -> None:
    storage = saved_then_changed(app)
    (tmp_path / "running" / "two").unlink()
    seen: dict[str, list[str]] = {}

    class Watching(Progress):
        def phase(self, name: str) -> None:
            seen[name] = running(app)

    done = restore(app, storage, Watching())
    assert seen == {
        "preparing": ["one"],
        "fetching": ["one"],
        "stopping": ["one"],
        "swapping": [],
        "starting": [],
        "finishing": ["one"],
    }
    assert done.downtime > 0


def test_row_71_one_that_cannot_be_stopped_keeps_its_folder(app: PlanConfig) -> None:
    storage = saved_then_changed(app)
    stubborn = replace(app.instances.command, stop=("false",))
    with pytest.raises(InstanceError) as refused:
        restore(replace(app, instances=replace(app.instances, command=stubborn)), storage)
    assert refused.value.code == "INSTANCES_NOT_STOPPED"
    assert (content(app.data_dir), running(app)) == (LATER, ["one", "two"])
    assert (safety_copies(app.data_dir), leftovers(app.data_dir)) == ([], [])
