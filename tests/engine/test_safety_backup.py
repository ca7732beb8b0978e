"""What a restore replaces is backed up and pinned first, where that is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_undo import LATER, SAVED, fill
from tests.support.memory_storage import MemoryStorage
from tests.support.places import content
from worker.engine.backup import run_backup
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, RestoreConfig
from worker.engine.errors import JobStopped, KeyMismatch, StorageError, TargetError
from worker.engine.naming import archive_key
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.restore_part import run_restore_part
from worker.engine.restore_to import run_restore_to
from worker.engine.storage import Upload

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
LATE = NOW + timedelta(hours=1)
OLD, NEW = (archive_key(PlanConfig(), at) for at in (NOW, LATE))


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    data.mkdir()
    restore = RestoreConfig(upload_copy=True)
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", max_backups=1, restore=restore)


@pytest.fixture
def storage(plan: PlanConfig) -> MemoryStorage:
    storage = MemoryStorage()
    fill(plan.data_dir, SAVED)
    run_backup(plan, storage, Progress(), now=NOW)
    fill(plan.data_dir, LATER)
    return storage


def restore(plan: PlanConfig, storage: MemoryStorage, progress: Progress | None = None):
    return run_restore(plan, storage, progress or Progress(), key=OLD, now=LATE)


@pytest.mark.parametrize("words", [[], ["state"]])
def test_it_is_made_pinned_and_named_and_the_one_restored_is_not_pruned_for_it(
    words: list[str], plan: PlanConfig, storage: MemoryStorage, tmp_path: Path
) -> None:
    done = (
        run_restore_part(plan, storage, Progress(), key=OLD, words=words, now=LATE)
        if words
        else restore(plan, storage)
    )
    assert done.safety_backup == NEW
    assert (plan.data_dir / "state").read_text() == "saved"
    assert {one.key: one.pinned for one in list_backups(storage, plan)} == {NEW: True, OLD: False}
    run_restore_to(plan, storage, Progress(), key=NEW, target=tmp_path / "before")
    assert content(tmp_path / "before") == LATER


class Full(MemoryStorage):
    """Takes no more archives."""

    def start_upload(self, key: str, **how: Any) -> Upload:
        raise StorageError("The bucket is full")


def test_where_it_cannot_be_made_nothing_is_restored(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    full = Full()
    full.__dict__.update(storage.__dict__)
    with pytest.raises(TargetError, match="The bucket is full") as refused:
        restore(plan, full)
    assert refused.value.code == "SAFETY_BACKUP_FAILED"
    assert content(plan.data_dir) == LATER


def test_nothing_to_save_is_no_reason_not_to_restore(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    fill(plan.data_dir, {})
    assert restore(plan, storage).safety_backup is None
    plan.data_dir.rename(plan.data_dir.with_name("lost"))
    assert restore(plan, storage).safety_backup is None
    assert content(plan.data_dir) == SAVED


def test_a_wrong_key_is_said_before_it_is_made(plan: PlanConfig) -> None:
    storage, plan = MemoryStorage(), replace(plan, encryption_key="k" * 40)
    fill(plan.data_dir, SAVED)
    run_backup(plan, storage, Progress(), now=NOW)
    with pytest.raises(KeyMismatch):
        restore(replace(plan, encryption_key="w" * 40), storage)
    assert len(list_backups(storage, plan)) == 1


def test_it_does_not_make_the_restore_one_that_cannot_be_cancelled(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    steps: list[str] = []

    class Cancelled(Progress):
        def commit(self, step: str) -> None:
            steps.append(step)
            raise JobStopped("Cancelled")

    with pytest.raises(JobStopped):
        restore(plan, storage, Cancelled())
    assert steps == ["swap"]
    assert content(plan.data_dir) == LATER
