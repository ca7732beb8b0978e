"""Retention: what goes, what never goes, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.test_catalogue import put_backup
from tests.support.memory_storage import MemoryStorage
from worker.engine.catalogue import BackupInfo, list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import JobStopped
from worker.engine.naming import archive_key, index_key, metadata_key
from worker.engine.progress import Progress
from worker.engine.retention import apply, choose
from worker.engine.storage.s3 import open_storage

PLAN = PlanConfig(max_backups=3)
START = datetime(2025, 1, 1, tzinfo=UTC)


def info(hours: int) -> BackupInfo:
    at = START + timedelta(hours=hours)
    return BackupInfo(archive_key(PLAN, at), at, at, 1)


backups = st.lists(st.integers(0, 10_000), unique=True).map(lambda hours: [info(h) for h in hours])


@given(backups, st.integers(1, 50))
def test_all_but_the_newest_go_oldest_first(have: list[BackupInfo], keep: int) -> None:
    doomed = choose(have, keep=keep)
    stays = [one for one in have if one not in doomed]
    assert len(stays) == min(keep, len(have))
    assert doomed == sorted(doomed, key=lambda one: one.created)
    assert all(old.created < new.created for old in doomed for new in stays)


@given(backups.filter(bool), st.integers(1, 50))
def test_the_newest_never_goes(have: list[BackupInfo], keep: int) -> None:
    assert max(have, key=lambda one: one.created) not in choose(have, keep=keep)


@given(backups, st.integers(1, 50))
def test_what_is_chosen_once_leaves_nothing_to_choose(have: list[BackupInfo], keep: int) -> None:
    doomed = choose(have, keep=keep)
    assert choose([one for one in have if one not in doomed], keep=keep) == []


@pytest.mark.parametrize("keep", [0, -1])
def test_keeping_none_is_refused(keep: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        choose([info(1)], keep=keep)


def test_old_backups_go_with_metadata_first() -> None:
    storage = MemoryStorage()
    keys = [put_backup(storage, number) for number in range(1, 6)]
    assert apply(storage, PLAN, Progress(), just_made=keys[-1]) == keys[:2]
    order = [[metadata_key(key), index_key(key), key] for key in keys[:2]]
    assert storage.deleted == order[0] + order[1]
    assert [one.key for one in list_backups(storage, PLAN)] == keys[:1:-1]


def test_foreign_objects_and_unfinished_archives_stay() -> None:
    storage = MemoryStorage()
    keys = [put_backup(storage, number) for number in range(1, 6)]
    storage.delete(metadata_key(keys[0]))
    foreign = ["backups/notes.txt", keys[1] + ".bak", keys[1].replace("whatsapp", "other")]
    for key in foreign:
        storage.put(key, b"x")
    assert apply(storage, PLAN, Progress(), just_made=keys[-1]) == [keys[1]]
    assert set(foreign) | {keys[0]} <= storage.objects.keys()


def test_nothing_goes_when_the_new_backup_is_not_in_the_list() -> None:
    storage = MemoryStorage()
    for number in range(1, 6):
        put_backup(storage, number)
    before = set(storage.objects)
    missing = archive_key(PLAN, START)
    assert apply(storage, PLAN, Progress(), just_made=missing) == []
    assert set(storage.objects) == before


def test_the_backup_just_made_stays_though_a_wrong_clock_made_it_old() -> None:
    storage = MemoryStorage()
    keys = [put_backup(storage, number) for number in range(1, 6)]
    assert apply(storage, PLAN, Progress(), just_made=keys[0]) == [keys[1]]
    assert keys[0] in storage.objects


def test_a_run_that_lost_its_lease_deletes_nothing() -> None:
    class Lost(Progress):
        def commit(self, step: str) -> None:
            raise JobStopped(step, code="LEASE_LOST")

    storage = MemoryStorage()
    keys = [put_backup(storage, number) for number in range(1, 6)]
    with pytest.raises(JobStopped):
        apply(storage, PLAN, Lost(), just_made=keys[-1])
    assert storage.deleted == []


def test_it_all_works_on_a_real_server(storage_config: StorageConfig) -> None:
    storage = open_storage(storage_config)
    keys = [put_backup(storage, number) for number in range(1, 6)]
    assert apply(storage, PLAN, Progress(), just_made=keys[-1]) == keys[:2]
    left = {item.key for item in storage.list("")}
    assert left == {name for key in keys[2:] for name in (key, index_key(key), metadata_key(key))}
