"""Row 68 of the fault matrix: the power goes while a restore runs, at any instant.

What had not been synced by then is lost: files are empty, or not there, or have another name.
After the start that follows the folder is all old or all new (I5), what was replaced is whole in
the safety copy, and a second cut right after that start changes nothing any more.

Ext4 brings names to the disk in the order in which they were given, other file systems do not.
So it is also looked at that no step of the journal is taken before the folders that the step
before it changed are synced.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.test_undo import LATER, SAVED, write
from tests.support.memory_storage import MemoryStorage
from tests.support.places import content, leftovers
from tests.support.powercut import FORGETFUL, Disk, disk, mounted
from tests.support.unsynced import Unsynced
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.restore_part import run_restore_part
from worker.engine.settling import settle
from worker.engine.swap.copies import safety_copies
from worker.engine.swap.site import ENTRIES, EXCHANGE
from worker.engine.undo import run_undo

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
SOON = NOW + timedelta(minutes=1)
Outcome = tuple[dict[str, str], list[dict[str, str]]]  # the live folder; the safety copies

PART = {**LATER, "state": "saved", "sub/inner": "saved"}
OUTCOMES: dict[str, tuple[Outcome, Outcome]] = {  # before, and after
    "restore": ((LATER, []), (SAVED, [LATER])),
    "part": ((LATER, []), (PART, [{"state": "later"}])),
    "undo": ((SAVED, [LATER]), (LATER, [SAVED])),
}


def may_loop() -> bool:
    """Whether files can be mounted as disks, which takes root's rights and loop devices.

    In CI they must: there nothing is skipped.
    """
    may = os.geteuid() == 0 and shutil.which("losetup") is not None
    may = (
        may and subprocess.run(["losetup", "-f"], capture_output=True, check=False).returncode == 0
    )
    if not may and os.environ.get("CI"):
        raise RuntimeError("CI may not mount files as disks: these tests must run there")
    return may


pytestmark = pytest.mark.skipif(not may_loop(), reason="may not mount a file as a disk here")


@pytest.fixture(params=[EXCHANGE, ENTRIES])
def plan(tmp_path: Path, request: pytest.FixtureRequest) -> PlanConfig:
    """Where the data folder will be: on a disk, or the disk itself, which cannot be moved."""
    top = tmp_path / "disk"
    data = top / "data" if request.param == EXCHANGE else top
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp")


@pytest.fixture
def storage(tmp_path: Path) -> MemoryStorage:
    """A bucket with a backup of other content than the folder's."""
    storage, source = MemoryStorage(), PlanConfig(data_dir=tmp_path / "source", temp_dir=tmp_path)
    source.data_dir.mkdir()
    write(source.data_dir, SAVED)
    run_backup(source, storage, Progress(), now=NOW)
    return storage


def run(kind: str, plan: PlanConfig, storage: MemoryStorage) -> None:
    if kind == "restore":
        run_restore(plan, storage, Progress(), key="latest", now=SOON)
    elif kind == "part":
        run_restore_part(plan, storage, Progress(), key="latest", words=["state", "sub"], now=SOON)
    else:
        run_undo(plan, Progress(), now=SOON + timedelta(minutes=1))


def found(plan: PlanConfig) -> Outcome:
    copies = [content(copy.path) for copy in safety_copies(plan.data_dir)]
    return content(plan.data_dir), copies


@pytest.mark.parametrize("restless", [False, True], ids=["quiet", "restless"])
@pytest.mark.parametrize("kind", OUTCOMES)
def test_row_68_whenever_the_power_goes_the_folder_is_all_old_or_all_new(
    kind: str, restless: bool, plan: PlanConfig, storage: MemoryStorage, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk", tmp_path / "image") as cut:
        plan.data_dir.mkdir(exist_ok=True)
        write(plan.data_dir, LATER)
        if kind == "undo":
            run("restore", plan, storage)
        cut.sync()
        with cut.recorded(restless=restless):
            run(kind, plan, storage)
    came_out = [after_the_cut(state, cut, plan) for state in cut.states]
    assert all(outcome in OUTCOMES[kind] for outcome in came_out)
    assert came_out[0] == OUTCOMES[kind][0]
    assert came_out[-1] == OUTCOMES[kind][1], "what a restore has reported as done lasts"


def after_the_cut(state: Path, cut: Disk, plan: PlanConfig) -> Outcome:
    """What the next start makes of it, and whether that lasts through another cut."""
    with mounted(state, cut.top, FORGETFUL):
        settle(plan)
        assert leftovers(plan.data_dir) == []
        settled = found(plan)
        again = Disk(state, cut.top).keep_state()
    with mounted(again, cut.top):
        settle(plan)
        assert found(plan) == settled
    return settled


@pytest.mark.parametrize("kind", OUTCOMES)
def test_row_68_no_step_of_the_journal_comes_before_the_sync_of_what_it_builds_on(
    kind: str, plan: PlanConfig, storage: MemoryStorage, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk", tmp_path / "image"):
        plan.data_dir.mkdir(exist_ok=True)
        write(plan.data_dir, LATER)
        if kind == "undo":
            run("restore", plan, storage)
        seen = Unsynced(tmp_path / "disk")
        with seen.watched():
            run(kind, plan, storage)
    assert seen.steps >= 2
    assert seen.early == []
