"""The janitor: what it clears away, and all that it must leave alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.engine.test_catalogue import put_backup
from tests.support.memory_storage import MemoryStorage
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.janitor import tidy
from worker.engine.marks import pin
from worker.engine.naming import archive_key, confirmed_key, index_key, metadata_key, probe_prefix
from worker.engine.retention import delete_backup
from worker.engine.storage import Storage
from worker.engine.storage.s3 import open_storage

PLAN = PlanConfig()
NOW = datetime.now(UTC)
SOON = NOW + timedelta(hours=23)
LATER = NOW + timedelta(hours=25)
KEY = archive_key(PLAN, datetime(2025, 8, 1, tzinfo=UTC))
JOB = "0b6e6ff4-6d1c-4d2c-8b56-7a55c0ffee00"


@pytest.fixture(params=["memory", "seaweedfs"])
def storage(request: pytest.FixtureRequest) -> Storage:
    if request.param == "memory":
        return MemoryStorage()
    return open_storage(request.getfixturevalue("storage_config"))


def leave_archive(storage: Storage, key: str = KEY) -> None:
    """What a run leaves that died between the archive and the metadata."""
    for name in (key, index_key(key)):
        with storage.start_upload(name, metadata={"tarkeep-job": JOB}) as upload:
            upload.send_part(1, b"content")
            upload.complete()


def keys(storage: Storage) -> set[str]:
    return {found.key for found in storage.list("")}


def test_an_archive_without_metadata_goes_after_a_day(storage: Storage) -> None:
    leave_archive(storage)
    whole = put_backup(storage, 1)
    assert tidy(storage, PLAN, now=SOON).deleted == []
    assert tidy(storage, PLAN, now=LATER).deleted == [KEY, index_key(KEY)]
    assert keys(storage) == {whole, index_key(whole), metadata_key(whole)}
    assert tidy(storage, PLAN, now=LATER).deleted == []


def test_what_a_living_job_made_stays(storage: Storage) -> None:
    leave_archive(storage)
    done = tidy(storage, PLAN, now=LATER, living_jobs={JOB})
    assert (done.deleted, done.left) == ([], [KEY, index_key(KEY)])


def test_an_archive_put_there_by_hand_stays(storage: Storage) -> None:
    storage.put(KEY, b"somebody's")
    assert tidy(storage, PLAN, now=LATER).left == [KEY]
    assert keys(storage) == {KEY}


def test_an_unfinished_archive_that_is_pinned_stays(storage: Storage) -> None:
    leave_archive(storage)
    pin(storage, PLAN, KEY, at=NOW, by="somebody")
    assert tidy(storage, PLAN, now=LATER).deleted == []
    assert KEY in keys(storage)


def test_foreign_objects_and_look_alikes_stay(storage: Storage) -> None:
    leave_archive(storage)
    foreign = {
        "notes.txt", "backups/notes.txt", KEY + ".bak", KEY + ".index.bak", KEY.upper(),
        KEY.replace("data-backup", "data-backup-2"), "other/" + KEY, KEY.replace("-000Z", "Z"),
        KEY[:-3] + "zip", f"{probe_prefix(PLAN)}mine", f"{probe_prefix(PLAN)}{'0' * 16}-A",
        KEY.replace("2025-08-01", "2025-02-30"),
    }  # fmt: skip
    for key in foreign:
        with storage.start_upload(key) as upload:
            upload.send_part(1, b"x")
            upload.complete()
    tidy(storage, PLAN, now=LATER)
    assert keys(storage) == foreign


def test_a_deletion_cut_short_is_finished(storage: Storage) -> None:
    leave_archive(storage)
    storage.put(confirmed_key(KEY), b"{}")
    tidy(storage, PLAN, now=LATER)
    tidy(storage, PLAN, now=LATER)
    assert keys(storage) == set()


def test_a_dry_run_says_what_would_go_and_leaves_it(storage: Storage) -> None:
    leave_archive(storage)
    assert tidy(storage, PLAN, now=LATER, dry_run=True).deleted == [KEY, index_key(KEY)]
    assert keys(storage) == {KEY, index_key(KEY)}


def test_test_objects_left_by_the_doctor_go(storage: Storage) -> None:
    left = f"{probe_prefix(PLAN)}{'0' * 16}-source"
    storage.put(left, b"x")
    assert tidy(storage, PLAN, now=SOON).deleted == []
    assert tidy(storage, PLAN, now=LATER).deleted == [left]


def test_a_backup_whose_metadata_is_there_is_never_touched(storage: Storage) -> None:
    whole = put_backup(storage, 1)
    leave_archive(storage, whole)
    before = keys(storage)
    tidy(storage, PLAN, now=LATER)
    assert keys(storage) == before
    delete_backup(storage, whole)
    assert keys(storage) == set()


def test_an_upload_begun_and_left_goes_after_a_day(storage: Storage) -> None:
    upload = storage.start_upload(KEY)
    upload.send_part(1, b"x" * 1024)
    foreign = storage.start_upload("backups/somebody-elses.tar.gz")
    twin = storage.start_upload(KEY.replace("data-backup", "data-backup-2"))
    assert tidy(storage, PLAN, now=SOON).aborted == []
    assert tidy(storage, PLAN, now=LATER, living_uploads={upload.upload_id}).aborted == []
    assert tidy(storage, PLAN, now=LATER).aborted == [KEY]
    left = {one.upload_id for one in storage.uploads("")}
    assert left == {foreign.upload_id, twin.upload_id}


def test_an_upload_that_still_gets_parts_stays_however_old() -> None:
    storage = MemoryStorage()
    upload = storage.start_upload(KEY)
    upload.begun -= timedelta(days=3)
    upload.send_part(1, b"x")
    assert tidy(storage, PLAN, now=NOW).aborted == []
    upload.sent[1] -= timedelta(days=2)
    assert tidy(storage, PLAN, now=NOW).aborted == [KEY]


def test_one_plan_does_not_touch_another_ones_leftovers(storage_config: StorageConfig) -> None:
    storage = open_storage(storage_config)
    leave_archive(storage)
    other = replace(PLAN, name="whatsapp-data")
    assert tidy(storage, other, now=LATER).deleted == []
    assert tidy(storage, replace(PLAN, prefix="back"), now=LATER).deleted == []
    assert KEY in keys(storage)
