"""Undo: back to the folder that the last restore replaced, and forth again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine import crash_parts
from tests.engine.test_restore import Told
from tests.engine.trees import describe
from tests.support.memory_storage import MemoryStorage
from tests.support.places import MODES, content, leftovers, place
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig
from worker.engine.errors import TargetError
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.swap.copies import safety_copies
from worker.engine.swap.lock import held
from worker.engine.swap.site import ENTRIES, EXCHANGE, look
from worker.engine.undo import run_undo

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
SAVED = {"state": "saved", "sub/inner": "saved", "link": "-> state"}
LATER = {"state": "later", "new": "later"}


def later(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def fill(folder: Path, files: dict[str, str]) -> None:
    for old in folder.iterdir():
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()
    write(folder, files)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)


@pytest.fixture(params=MODES)
def plan(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PlanConfig]:
    """A folder that was backed up, changed, and restored a minute later."""
    with place(tmp_path / "place" / "data", request.param) as data:
        plan = PlanConfig(data_dir=data, temp_dir=tmp_path / "temp")
        storage = MemoryStorage()
        fill(data, SAVED)
        run_backup(plan, storage, Progress(), now=NOW)
        fill(data, LATER)
        restored = run_restore(plan, storage, Progress(), key="latest", now=later(1))
        assert restored.mode == request.param
        assert content(data) == SAVED
        yield plan


def undo(plan: PlanConfig, minutes: int, progress: Progress | None = None):
    return run_undo(plan, progress or Progress(), now=later(minutes))


def test_an_undo_brings_back_what_the_restore_replaced(plan: PlanConfig) -> None:
    done = undo(plan, 2)
    assert content(plan.data_dir) == LATER
    assert content(done.safety_copy) == SAVED
    assert [copy.path for copy in safety_copies(plan.data_dir)] == [done.safety_copy]
    assert leftovers(plan.data_dir) == []


def test_an_undo_can_be_undone_again_and_again(plan: PlanConfig) -> None:
    for minutes, expected in ((2, LATER), (3, SAVED), (4, LATER)):
        undo(plan, minutes)
        assert content(plan.data_dir) == expected
    assert len(safety_copies(plan.data_dir)) == 1


def test_of_several_safety_copies_the_newest_comes_back(plan: PlanConfig) -> None:
    site = look(plan.data_dir)
    for minutes in (-60, -90):
        site.safety_copy(later(minutes)).mkdir()
    undo(plan, 2)
    assert content(plan.data_dir) == LATER
    assert len(safety_copies(plan.data_dir)) == 3


def test_its_steps_are_told_and_written_down_before_they_are_done(plan: PlanConfig) -> None:
    told = Told()
    undo(plan, 2, told)
    assert told.calls == ["preparing", "swapping", "record swap", "commit swap", "finishing"]


def test_without_a_safety_copy_there_is_nothing_to_undo(tmp_path: Path) -> None:
    plan = PlanConfig(data_dir=tmp_path / "data")
    plan.data_dir.mkdir()
    (tmp_path / "data.before-restore-by-hand").mkdir()
    (tmp_path / "data.before-restore-2025-08-29T05-00-00-000Z").write_text("a file")
    with pytest.raises(TargetError) as refused:
        undo(plan, 2)
    assert refused.value.code == "NO_SAFETY_COPY"


def test_while_a_restore_runs_it_is_refused(plan: PlanConfig) -> None:
    with held(look(plan.data_dir).lock), pytest.raises(TargetError) as busy:
        undo(plan, 2)
    assert busy.value.code == "TARGET_BUSY"


def test_a_live_folder_that_was_lost_is_simply_put_back(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "data.before-restore-2025-08-29T05-00-00-000Z"
    copy.mkdir()
    fill(copy, LATER)
    done = undo(PlanConfig(data_dir=data), 2)
    assert (done.mode, done.safety_copy, content(data)) == ("new", None, LATER)


def test_a_copy_beside_what_has_become_a_mount_is_left_alone(tmp_path: Path) -> None:
    copy = tmp_path / "place" / "data.before-restore-2025-08-29T05-00-00-000Z"
    copy.mkdir(parents=True)
    with place(tmp_path / "place" / "data", ENTRIES) as data:
        fill(data, SAVED)
        with pytest.raises(TargetError, match="outside of the file system"):
            undo(PlanConfig(data_dir=data), 2)
        assert content(data) == SAVED
    assert copy.exists()


def test_a_copy_inside_what_is_no_mount_any_more_comes_back_entry_by_entry(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    fill(data, SAVED)
    hidden = data / ".tarkeep-before-restore-2025-08-29T05-00-00-000Z"
    hidden.mkdir()
    fill(hidden, LATER)
    done = undo(PlanConfig(data_dir=data), 2)
    assert (done.mode, content(data)) == (ENTRIES, LATER)
    assert look(data).mode == EXCHANGE


def test_what_was_put_aside_in_a_safety_copy_stays_aside(plan: PlanConfig) -> None:
    (copy,) = safety_copies(plan.data_dir)
    aside = copy.path / ".tarkeep-written-meanwhile"
    aside.mkdir()
    (aside / "stray.0").write_text("somebody's")
    undo(replace(plan), 2)
    assert content(plan.data_dir) == LATER
    found = [*plan.data_dir.rglob("stray.0"), *plan.data_dir.parent.rglob("stray.0")]
    assert found[0].read_text() == "somebody's"


def test_of_a_restore_of_some_entries_only_these_are_undone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    crash_parts.fill_old(data)
    before = describe(data)
    crash_parts.put(data)
    assert describe(data) != before
    plan = PlanConfig(data_dir=data)
    done = undo(plan, 2)
    assert (done.mode, (data / "state.json").read_text()) == ("parts", "old")
    assert (data / "keep.json").read_text() == "old"
    undo(plan, 3)
    assert (data / "state.json").read_text() == "new"
    assert (data / "keep.json").read_text() == "old"
