"""A key that is not the one of before is noticed, and costs no backup that the right one opens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.support.memory_storage import MemoryStorage
from worker.engine import marks
from worker.engine.archive.strangers import strangers
from worker.engine.backup import BackupResult, run_backup
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig

NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)
RIGHT, WRONG = "the right passphrase of the user, long", "the wrong passphrase of the user, long"


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("a")
    return PlanConfig(
        data_dir=tmp_path / "data", temp_dir=tmp_path / "t", encryption_key=RIGHT, max_backups=1
    )


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


def backup(plan: PlanConfig, storage: MemoryStorage, day: int) -> tuple[BackupResult, list[str]]:
    heard = Heard()
    made = run_backup(plan, storage, heard, now=NOW + timedelta(days=day))
    return made, [one.code for one in heard.warnings]


@pytest.mark.parametrize("key", [WRONG, None])
def test_with_another_key_or_none_nothing_is_deleted(
    plan: PlanConfig, storage: MemoryStorage, key: str | None
) -> None:
    first, _ = backup(plan, storage, 0)
    changed = replace(plan, encryption_key=key)
    second, told = backup(changed, storage, 1)
    assert "KEY_CHANGED" in told
    assert second.pruned == ()
    assert strangers(storage, changed, list_backups(storage, plan)) == {first.key}


def test_a_key_that_was_put_among_the_earlier_ones_is_no_stranger(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    first, _ = backup(plan, storage, 0)
    rotated = replace(plan, encryption_key=WRONG, previous_keys=(RIGHT,))
    second, told = backup(rotated, storage, 1)
    assert "KEY_CHANGED" not in told
    assert second.pruned == (first.key,)


def test_a_person_can_let_backups_go_whose_key_is_lost(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    first, _ = backup(plan, storage, 0)
    changed = replace(plan, encryption_key=WRONG)
    second, _ = backup(changed, storage, 1)
    assert marks.confirm(storage, changed, at=NOW, by="ana") == second.key
    third, told = backup(changed, storage, 2)
    assert "KEY_CHANGED" not in told
    assert third.pruned == (first.key, second.key)


def test_plain_backups_are_no_strangers(plan: PlanConfig, storage: MemoryStorage) -> None:
    plain = replace(plan, encryption_key=None)
    backup(plain, storage, 0)
    assert strangers(storage, plan, list_backups(storage, plan)) == frozenset()
