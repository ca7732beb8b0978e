"""BACKUP_WHEN_UNCHANGED=skip: where nothing changed, the last backup stands for the run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.engine.test_reuse import NOW, PASSPHRASE, backup, make_plan, restored, write
from tests.engine.trees import describe
from tests.support.memory_storage import MemoryStorage
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig
from worker.engine.progress import Progress
from worker.engine.storage import Storage


@pytest.fixture(params=[None, PASSPHRASE], ids=["plain", "encrypted"])
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> PlanConfig:
    plan = make_plan(tmp_path, key=request.param)
    write(plan.data_dir / "folder" / "one", b"one")
    write(plan.data_dir / "folder" / "two", os.urandom(9000))
    (plan.data_dir / "empty").mkdir()
    (plan.data_dir / "link").symlink_to("folder/one")
    return dataclasses.replace(plan, reuse=dataclasses.replace(plan.reuse, skips=True))


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


def keys(storage: Storage) -> list[str]:
    return sorted(found.key for found in storage.list("") if found.key.endswith(".tar.gz"))


def test_nothing_is_stored_while_nothing_changes(plan: PlanConfig, storage: MemoryStorage) -> None:
    first = backup(plan, storage, 0)
    there = {found.key: found.etag for found in storage.list("")}
    for hour in (1, 2):
        again = backup(plan, storage, hour)
        assert (again.unchanged, again.key) == (True, first.key)
        assert (again.bytes_read, again.bytes_sent, again.files) == (0, 0, first.files)
    now = {found.key: found.etag for found in storage.list("")}
    assert {key: now[key] for key in there} == there
    assert keys(storage) == [first.key]
    assert not list(storage.uploads(""))


def _added(data: Path) -> None:
    write(data / "new", b"")


def _removed(data: Path) -> None:
    (data / "folder" / "one").unlink()


def _renamed(data: Path) -> None:
    (data / "folder" / "one").rename(data / "folder" / "other")


def _edited(data: Path) -> None:
    write(data / "folder" / "one", b"two")


def _locked(data: Path) -> None:
    (data / "folder" / "one").chmod(0o600)


def _folder_added(data: Path) -> None:
    (data / "empty" / "inner").mkdir()


def _folder_removed(data: Path) -> None:
    (data / "empty").rmdir()


def _folder_locked(data: Path) -> None:
    (data / "empty").chmod(0o700)


def _pointed(data: Path) -> None:
    (data / "link").unlink()
    (data / "link").symlink_to("folder/two")


CHANGES = (
    _added, _removed, _renamed, _edited, _locked, _folder_added, _folder_removed, _folder_locked,
    _pointed,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_makes_a_backup_that_holds_it(
    plan: PlanConfig, storage: MemoryStorage, change: Callable[[Path], None]
) -> None:
    first = backup(plan, storage, 0)
    assert backup(plan, storage, 1).unchanged
    change(plan.data_dir)
    made = backup(plan, storage, 2)
    assert not made.unchanged
    assert keys(storage) == [first.key, made.key]
    assert restored(plan, storage, made.key) == describe(plan.data_dir)
    assert backup(plan, storage, 3).key == made.key


def test_one_that_is_asked_for_whole_is_stored(plan: PlanConfig, storage: MemoryStorage) -> None:
    first = backup(plan, storage, 0)
    made = run_backup(plan, storage, Progress(), now=NOW + timedelta(days=1), mode="full")
    assert not made.unchanged
    assert keys(storage) == [first.key, made.key]


def test_by_default_each_run_stores_one(plan: PlanConfig, storage: MemoryStorage) -> None:
    usual = dataclasses.replace(plan, reuse=dataclasses.replace(plan.reuse, skips=False))
    made = [backup(usual, storage, hour) for hour in (0, 1)]
    assert not any(one.unchanged for one in made)
    assert keys(storage) == [one.key for one in made]


def test_a_small_folder_on_a_real_bucket_counts_as_well(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    """Smaller than any part that a server copies."""
    reuse = dataclasses.replace(plan.reuse, least_copy=5 * 1024 * 1024)
    plan = dataclasses.replace(plan, reuse=reuse)
    first = backup(plan, storage, 0)
    assert backup(plan, storage, 1).key == first.key
    write(plan.data_dir / "folder" / "one", b"other")
    made = backup(plan, storage, 2)
    assert (made.unchanged, made.metadata.full_reason) == (False, "TOO_LITTLE")
    assert restored(plan, storage, made.key) == describe(plan.data_dir)
