"""A backup that broke off is gone on with: what it had sent is not sent again."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.engine.packing import Heard
from tests.engine.test_reuse import AT_ONCE, NOW, PASSPHRASE, backup, restored, untarred, write
from tests.engine.trees import describe
from tests.support.memory_storage import MemoryStorage, MemoryUpload
from worker.engine.backup import run_backup
from worker.engine.capture import parts
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig
from worker.engine.errors import JobStopped, StorageError
from worker.engine.resume.journal import PREFIX, line
from worker.engine.storage import Part, StoredObject
from worker.engine.verify import run_verify

PART = 10_000


class FailingUpload(MemoryUpload):
    """Breaks off when a part beyond `storage.most` is sent."""

    def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None:
        if self.key.endswith(".tar.gz"):
            if number > self.storage.most:
                raise self.storage.error
            self.storage.sent += len(data)
        super().send_part(number, data)

    def copy_part(self, number, source, *, etag, first, last):
        part = super().copy_part(number, source, etag=etag, first=first, last=last)
        self.storage.sent -= part.size
        return part


class FailingStorage(MemoryStorage):
    most: int = 10**6
    sent: int = 0
    upload = FailingUpload
    error: Exception = StorageError("gone", code="STORAGE_UNREACHABLE")

    def start_upload(
        self, key: str, *, metadata: dict[str, str] | None = None, **_: Any
    ) -> FailingUpload:
        self.most += 10**6 * key.endswith(".index")
        upload = self.upload(self, key, f"upload-{next(self._numbers)}", metadata or {})
        self.uploads_open[upload.upload_id] = upload
        return upload


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> FailingStorage:
    monkeypatch.setattr(parts, "MIN_PART", PART)
    monkeypatch.setattr("worker.engine.capture.sending.part_size", lambda *_, **__: PART)
    return FailingStorage()


@pytest.fixture
def key() -> str | None:
    return None


@pytest.fixture
def plan(key: str | None, tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    plan = PlanConfig(
        data_dir=data,
        temp_dir=tmp_path / "temp",
        encryption_key=key,
        max_backups=1000,
        segment_size=2048,
        reuse=AT_ONCE,
    )
    for number in range(80):
        write(data / f"folder-{number % 3}" / f"file-{number}", os.urandom(1000))
    write(data / "zoo" / "large.bin", os.urandom(60_000))
    (data / "link").symlink_to("large.bin")
    return plan


def break_off(plan: PlanConfig, storage: FailingStorage, *, after: int, day: int = 0) -> None:
    storage.most = after
    with pytest.raises((StorageError, JobStopped)):
        backup(plan, storage, day)
    storage.most = 10**6


def journals(plan: PlanConfig) -> list[Path]:
    return list(plan.temp_dir.glob(f"{PREFIX}*"))


def whole(plan: PlanConfig, storage: FailingStorage, key: str) -> None:
    """It is the only thing in the bucket, and what the folder holds."""
    run_verify(plan, storage, Heard(), key=key)
    assert restored(plan, storage, key) == describe(plan.data_dir)
    if not plan.encryption_key:
        assert untarred(storage.objects[key][0]) == describe(plan.data_dir)
    assert storage.uploads_open == {}
    assert journals(plan) == []
    archives = {name for name in storage.objects if name.endswith(".tar.gz")}
    assert archives == {one.key for one in list_backups(storage, plan)}


@pytest.mark.parametrize("after", [1, 6, 12])
@pytest.mark.parametrize("key", [None, PASSPHRASE], ids=["plain", "encrypted"])
def test_what_was_sent_is_not_sent_again(plan, storage, after):
    break_off(plan, storage, after=after)
    assert len(storage.uploads_open) == 1
    before, storage.sent = storage.sent, 0
    made = backup(plan, storage, 1)
    # Only what lay in no whole segment at the end of the last part goes twice.
    assert storage.sent <= made.size - before + 2 * 2048 + 200
    whole(plan, storage, made.key)


@pytest.mark.parametrize("key", [None, PASSPHRASE], ids=["plain", "encrypted"])
def test_a_backup_may_break_off_again_and_again(plan, storage):
    turns = [2, 4, 6, 7]
    for turn, after in enumerate(turns):
        break_off(plan, storage, after=after, day=turn)
    made = backup(plan, storage, 9)
    assert made.bytes_copied > 3 * PART
    # Each time no more is lost than what lay in no whole segment.
    assert storage.sent < made.size + len(turns) * PART
    whole(plan, storage, made.key)


def test_what_changed_meanwhile_is_sent_and_the_rest_is_not(plan, storage):
    break_off(plan, storage, after=7)
    before, storage.sent = storage.sent, 0
    write(plan.data_dir / "folder-0" / "file-0", b"another content")
    (plan.data_dir / "folder-1" / "file-1").unlink()
    write(plan.data_dir / "new", b"new")
    made = backup(plan, storage, 1)
    assert storage.sent < made.size - before + 5 * 2048
    whole(plan, storage, made.key)


@pytest.mark.parametrize("after", [10, 12])
def test_a_large_file_that_changed_after_it_was_sent_in_part_is_sent_anew(plan, storage, after):
    break_off(plan, storage, after=after)
    write(plan.data_dir / "zoo" / "large.bin", os.urandom(60_000))
    whole(plan, storage, backup(plan, storage, 1).key)


@pytest.mark.parametrize("key", [None, PASSPHRASE], ids=["plain", "encrypted"])
def test_it_goes_on_behind_what_the_last_backup_gives(plan, storage):
    first = backup(plan, storage, 0)
    for number in range(60):
        write(plan.data_dir / "more" / f"{number}", os.urandom(1500))
    storage.sent = 0
    break_off(plan, storage, after=9, day=1)
    assert storage.sent > 3 * PART
    second = backup(plan, storage, 2)
    assert second.metadata.base == Path(first.key).name
    assert second.metadata.generation == 1
    assert storage.sent < second.size - first.size + 3 * PART
    whole(plan, storage, second.key)
    third = backup(plan, storage, 3)
    assert third.bytes_read < 1000
    whole(plan, storage, third.key)


def test_the_server_alone_says_which_parts_there_are(plan, storage):
    break_off(plan, storage, after=7)
    (upload,) = storage.uploads_open.values()
    del upload.parts[4]
    storage.sent = 0
    made = backup(plan, storage, 1)
    assert made.size - 3 * PART - 1 < storage.sent < made.size - 2 * PART
    whole(plan, storage, made.key)


def test_an_upload_that_is_gone_begins_anew(plan, storage):
    break_off(plan, storage, after=7)
    storage.uploads_open.clear()
    made = backup(plan, storage, 1)
    assert made.bytes_copied == 0
    whole(plan, storage, made.key)


@pytest.mark.parametrize("keep", [0, 10, 400, 3000])
def test_a_journal_cut_off_anywhere_does_no_harm(plan, storage, keep):
    break_off(plan, storage, after=7)
    (journal,) = journals(plan)
    header = len(journal.read_bytes().splitlines(keepends=True)[0])
    with journal.open("r+b") as file:
        file.truncate(keep)
        file.seek(keep)
        file.write(bytes(100))
    made = backup(plan, storage, 1)
    if keep < header:  # nobody can tell whose it is: it lies for a day, as the upload does
        assert journals(plan) == [journal]
        journal.unlink()
        storage.uploads_open.clear()
    whole(plan, storage, made.key)


def test_with_another_key_or_level_it_begins_anew(plan, storage):
    break_off(plan, storage, after=7)
    other = dataclasses.replace(plan, compression_level=1)
    made = backup(other, storage, 1)
    assert made.bytes_copied == 0
    whole(other, storage, made.key)


def test_a_cancelled_backup_leaves_nothing(plan, storage):
    storage.error = JobStopped("cancelled", code="CANCELLED")
    break_off(plan, storage, after=7)
    assert (storage.uploads_open, journals(plan)) == ({}, [])


def test_one_that_was_drained_is_gone_on_with(plan, storage):
    storage.error = JobStopped("drained", code="DRAINED")
    break_off(plan, storage, after=7)
    storage.sent = 0
    made = backup(plan, storage, 1)
    assert storage.sent < made.size - 6 * PART
    whole(plan, storage, made.key)


def test_databases_count_once_sqlite_has_checked_them(plan, storage):
    for number in range(20):
        path = plan.data_dir / "bases" / f"{number}.db"
        path.parent.mkdir(exist_ok=True)
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE t (x)")
            database.execute("INSERT INTO t VALUES (?)", (os.urandom(3000),))
        database.close()
    break_off(plan, storage, after=9)
    made = backup(plan, storage, 1)
    whole(plan, storage, made.key)
    index = made.metadata.index_checksum
    assert index
    again = backup(plan, storage, 2)
    assert again.bytes_read < 1000  # every database has SQLite's word in the index


def test_uploads_without_a_journal_are_aborted(plan, storage):
    upload = storage.start_upload("backups/whatsapp-data-backup-2025-08-29T05-00-00-000Z.tar.gz")
    run_backup(plan, storage, Heard(), now=NOW, unfinished=[(upload.key, upload.upload_id)])
    assert storage.uploads_open == {}


def test_the_journal_of_a_run_that_lives_is_left_alone(plan, storage):
    break_off(plan, storage, after=7)
    (journal,) = journals(plan)
    with journal.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        made = backup(plan, storage, 1)
    assert made.bytes_copied == 0
    assert journals(plan) == [journal]
    assert len(storage.uploads_open) == 1


def test_a_journal_that_makes_no_sense_is_not_gone_on_with(plan, storage):
    break_off(plan, storage, after=7)
    (journal,) = journals(plan)
    with journal.open("ab") as file:
        file.write(line({"s": [1]}))
    made = backup(plan, storage, 1)
    assert made.metadata.full_reason == "RESUME_FAILED"
    assert made.bytes_copied == 0
    whole(plan, storage, made.key)


class Guarded(FailingUpload):
    """Its parts have checksums that nobody lists; that of part 4 is never told."""

    def tell_checksums(self, told: Callable[[int, str], None]) -> None:
        self._told = told

    def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None:
        if self.key.endswith(".tar.gz") and number != 4:
            self._told(number, f"checksum {number}")
        super().send_part(number, data)


class Closing(FailingStorage):
    """Closes no upload without its parts' checksums."""

    upload = Guarded

    def close_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> StoredObject:
        assert [part.crc32 for part in parts] == [f"checksum {n}" for n in range(1, len(parts) + 1)]
        return super().close_upload(key, upload_id, parts)


def test_of_parts_with_checksums_those_count_whose_checksum_is_known(plan, storage):
    storage = Closing()
    break_off(plan, storage, after=7)
    storage.sent = 0
    made = backup(plan, storage, 1)
    assert made.size - 3 * PART - 1 < storage.sent < made.size - 2 * PART
    whole(plan, storage, made.key)
