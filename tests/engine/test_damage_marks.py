"""Damage is written beside the backup: whoever has only the bucket knows of it too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.support.memory_storage import MemoryStorage
from worker.engine.backup import run_backup
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig
from worker.engine.damage import read_mark
from worker.engine.drill import run_drill
from worker.engine.errors import ArchiveError, StorageError
from worker.engine.janitor import tidy
from worker.engine.naming import archive_key, damaged_key
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.restore_part import run_restore_part
from worker.engine.restore_to import run_restore_to
from worker.engine.retention import judge
from worker.engine.storage import StoredObject
from worker.engine.verify import run_verify

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
KEY = archive_key(PlanConfig(), NOW)
READINGS: dict[str, Callable[[PlanConfig, MemoryStorage], object]] = {
    "verify": lambda plan, storage: run_verify(plan, storage, Progress(), key=KEY),
    "drill": lambda plan, storage: run_drill(plan, storage, Progress(), key=KEY),
    "restore": lambda plan, storage: run_restore(plan, storage, Progress(), key=KEY, now=NOW),
    "part": lambda plan, storage: run_restore_part(
        plan, storage, Progress(), key=KEY, words=["file"], now=NOW
    ),
    "elsewhere": lambda plan, storage: run_restore_to(
        plan, storage, Progress(), key=KEY, target=plan.temp_dir / "there"
    ),
}


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_bytes(bytes(range(256)) * 100)
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", max_backups=1)


@pytest.fixture
def storage(plan: PlanConfig) -> MemoryStorage:
    storage = MemoryStorage()
    run_backup(plan, storage, Progress(), now=NOW)
    return storage


def archive(storage: MemoryStorage) -> bytes:
    return storage.get_bytes(KEY, limit=10**9)


def spoil(storage: MemoryStorage) -> bytes:
    """Flip a bit; what the archive was before."""
    whole = archive(storage)
    storage.put(KEY, whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    return whole


@pytest.mark.parametrize("reading", READINGS)
def test_a_reading_that_finds_damage_marks_it(
    reading: str, plan: PlanConfig, storage: MemoryStorage
) -> None:
    spoil(storage)
    with pytest.raises(ArchiveError) as damage:
        READINGS[reading](plan, storage)
    mark = read_mark(storage, KEY)
    assert mark is not None
    assert (mark.code, mark.message) == (damage.value.code, damage.value.message)
    assert [one.damaged for one in list_backups(storage, plan)] == [True]


@pytest.mark.parametrize(("reading", "stays"), [("verify", False), ("drill", False),
                                                ("restore", True), ("part", True)])  # fmt: skip
def test_a_reading_of_all_of_it_that_goes_well_takes_the_mark_away(
    reading: str, stays: bool, plan: PlanConfig, storage: MemoryStorage
) -> None:
    whole = spoil(storage)
    with pytest.raises(ArchiveError):
        READINGS["verify"](plan, storage)
    storage.put(KEY, whole)
    READINGS[reading](plan, storage)
    assert (read_mark(storage, KEY) is not None) == stays


def test_a_marked_backup_does_not_count_as_kept_and_is_not_built_on(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    spoil(storage)
    with pytest.raises(ArchiveError):
        READINGS["verify"](plan, storage)
    (marked,) = judge(list_backups(storage, plan), plan).verdicts
    assert "damaged" in marked.reason
    made = run_backup(plan, storage, Progress(), now=NOW + timedelta(days=1))
    assert made.metadata.full_reason == "BASE_DAMAGED"


def test_the_mark_goes_with_the_backup(plan: PlanConfig, storage: MemoryStorage) -> None:
    spoil(storage)
    with pytest.raises(ArchiveError):
        READINGS["verify"](plan, storage)
    for day in (1, 2):
        run_backup(plan, storage, Progress(), now=NOW + timedelta(days=day))
    assert not [found.key for found in storage.list(KEY)]


def test_a_mark_without_backup_is_tidied_away(plan: PlanConfig, storage: MemoryStorage) -> None:
    other = archive_key(plan, NOW - timedelta(days=9))
    storage.put(damaged_key(other), b"{}")
    tidy(storage, plan, now=datetime.now(UTC) + timedelta(days=2))
    assert not [found.key for found in storage.list(other)]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"at": "x", "code": "ARCHIVE_DAMAGED", "message": "m"}',
     b'{"at": "2025-01-01T00:00:00", "code": "ARCHIVE_DAMAGED", "message": "m"}',
     b'{"at": "2025-01-01T00:00:00+00:00", "code": "OTHER", "message": "m"}', b"x" * 20_000],
    ids=lambda content: repr(content)[:20],
)  # fmt: skip
def test_a_mark_that_says_nothing_that_we_know_is_none(
    content: bytes, storage: MemoryStorage
) -> None:
    storage.put(damaged_key(KEY), content)
    assert read_mark(storage, KEY) is None


class ReadOnly(MemoryStorage):
    def put(
        self, key: str, data: bytes, *, content_type: str = "application/octet-stream"
    ) -> StoredObject:
        raise StorageError("Denied")


def test_a_bucket_that_takes_no_mark_hides_no_damage(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    spoil(storage)
    closed = ReadOnly()
    closed.__dict__.update(storage.__dict__)
    with pytest.raises(ArchiveError):
        run_verify(plan, closed, Heard(), key=KEY)
