"""The bucket is the catalogue: what counts as a backup and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.engine.counting_storage import CountingStorage
from tests.support.memory_storage import MemoryStorage
from worker.engine.catalogue import find_backup, incomplete, list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import ArchiveError, StorageError
from worker.engine.metadata import MAX_SIZE, Metadata, dump
from worker.engine.naming import archive_key, index_key, metadata_key
from worker.engine.storage import NotFound, Storage
from worker.engine.storage.s3 import open_storage

PLAN = PlanConfig()
START = datetime(2025, 8, 29, 5, tzinfo=UTC)


def put_backup(storage: Storage, number: int, plan: PlanConfig = PLAN) -> str:
    """A backup of day `number`, of as many bytes; its key."""
    at = START + timedelta(days=number)
    key = archive_key(plan, at)
    storage.put(key, b"x" * number)
    storage.put(index_key(key), b"index")
    storage.put(
        metadata_key(key),
        dump(Metadata(at.isoformat(), number, "sha256:" + "0" * 64, True, False, "1")),
    )
    return key


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


def test_backups_are_listed_newest_first_with_their_metadata(storage: MemoryStorage) -> None:
    keys = [put_backup(storage, number) for number in (2, 1, 3)]
    found = list_backups(storage, PLAN)
    assert [info.key for info in found] == [keys[2], keys[0], keys[1]]
    assert [info.size for info in found] == [3, 2, 1]
    assert found[0].created == START + timedelta(days=3)
    assert found[0].modified == storage.head(keys[2]).modified
    assert [info.metadata and info.metadata.size for info in found] == [3, 2, 1]


def test_metadata_is_left_alone_when_nobody_asks_for_it(storage: MemoryStorage) -> None:
    key = put_backup(storage, 1)
    storage.put(metadata_key(key), b"damaged")
    assert [info.metadata for info in list_backups(storage, PLAN, with_metadata=False)] == [None]


def test_an_empty_bucket_has_no_backups(storage: MemoryStorage) -> None:
    assert list_backups(storage, PLAN) == []


@pytest.mark.parametrize("content", [b"", b"[" * 50_000, b"{}", b" " * (MAX_SIZE + 1)])
def test_a_backup_with_damaged_metadata_stays_in_the_list(
    storage: MemoryStorage, content: bytes
) -> None:
    key = put_backup(storage, 1)
    storage.put(metadata_key(key), content)
    (found,) = list_backups(storage, PLAN)
    assert (found.key, found.metadata) == (key, None)
    assert find_backup(storage, PLAN, key) == found


def test_archives_without_metadata_are_hidden_and_named_as_incomplete(
    storage: MemoryStorage,
) -> None:
    whole, begun, left = [put_backup(storage, number) for number in (1, 2, 3)]
    storage.delete(metadata_key(begun))
    storage.delete(metadata_key(left))
    storage.delete(left)
    assert [info.key for info in list_backups(storage, PLAN)] == [whole]
    found = {item.key for item in incomplete(storage, PLAN)}
    assert found == {begun, index_key(begun), index_key(left)}


def test_metadata_without_an_archive_is_no_backup(storage: MemoryStorage) -> None:
    key = put_backup(storage, 1)
    storage.delete(key)
    assert list_backups(storage, PLAN) == []
    assert incomplete(storage, PLAN) == []


def test_objects_of_others_are_not_looked_at(storage: MemoryStorage) -> None:
    other = PlanConfig(name="whatsapp-data-backup-2")
    key = put_backup(storage, 1)
    put_backup(storage, 2, other)
    for foreign in ("backups/notes.txt", "backups/whatsapp-data-backup-old.tar.gz", key + ".bak"):
        storage.put(foreign, b"not ours")
    assert [info.key for info in list_backups(storage, PLAN)] == [key]
    assert incomplete(storage, PLAN) == []


def test_metadata_deleted_while_listing_takes_the_backup_off_the_list() -> None:
    class Racing(MemoryStorage):
        def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
            raise NotFound("gone")

        def get_bytes(self, key: str, *, limit: int) -> bytes:
            raise NotFound("gone")

    storage = Racing()
    put_backup(storage, 1)
    assert list_backups(storage, PLAN) == []


def test_a_failing_bucket_is_an_error_and_no_short_list() -> None:
    class Failing(MemoryStorage):
        def get_bytes(self, key: str, *, limit: int) -> bytes:
            raise StorageError("broken")

    storage = Failing()
    put_backup(storage, 1)
    with pytest.raises(StorageError, match="broken"):
        list_backups(storage, PLAN)


def test_the_latest_is_found_by_the_list_and_its_metadata_alone(storage: MemoryStorage) -> None:
    key, asked = put_backup(storage, 1), CountingStorage(storage)
    assert find_backup(asked, PLAN, "latest").size == 1
    assert asked.requests == [("get", metadata_key(key))]  # a list is not counted


def test_a_backup_deleted_after_it_was_listed_is_not_found(storage: MemoryStorage) -> None:
    class Deleting(CountingStorage):
        def get_bytes(self, key: str, *, limit: int) -> bytes:
            storage.delete(key)
            return super().get_bytes(key, limit=limit)

    put_backup(storage, 1)
    with pytest.raises(ArchiveError) as caught:
        find_backup(Deleting(storage), PLAN, "latest")
    assert caught.value.code == "BACKUP_NOT_FOUND"


def test_a_backup_is_found_by_key_and_as_the_latest(storage: MemoryStorage) -> None:
    old, new = put_backup(storage, 1), put_backup(storage, 2)
    assert find_backup(storage, PLAN, old).key == old
    assert find_backup(storage, PLAN, "latest").key == new
    assert find_backup(storage, PLAN, "latest") == list_backups(storage, PLAN)[0]


def test_an_archive_put_there_by_hand_is_found_by_its_key_only(storage: MemoryStorage) -> None:
    key = archive_key(PLAN, START)
    storage.put(key, b"plain tar.gz")
    found = find_backup(storage, PLAN, key)
    assert (found.key, found.size, found.metadata) == (key, 12, None)
    with pytest.raises(ArchiveError) as caught:
        find_backup(storage, PLAN, "latest")
    assert caught.value.code == "BACKUP_NOT_FOUND"


def test_an_unknown_key_is_not_found_and_an_odd_one_is_refused(storage: MemoryStorage) -> None:
    with pytest.raises(ArchiveError) as unknown:
        find_backup(storage, PLAN, archive_key(PLAN, START))
    assert unknown.value.code == "BACKUP_NOT_FOUND"
    with pytest.raises(ArchiveError) as odd:
        find_backup(storage, PLAN, "backups/../secret.tar.gz")
    assert odd.value.code == "KEY_MALFORMED"


def test_it_all_works_on_a_real_server(storage_config: StorageConfig) -> None:
    storage = open_storage(storage_config, concurrency=8)
    keys = [put_backup(storage, number) for number in range(1, 6)]
    found = list_backups(storage, PLAN)
    assert [info.key for info in found] == keys[::-1]
    assert all(info.metadata for info in found)
    assert find_backup(storage, PLAN, "latest") == found[0]
