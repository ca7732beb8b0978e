"""GET retention, POST retention/confirm, POST pin, and what they do to the status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backups_app import keeping
from backups_app.models import Kind
from tests.backups_app.test_roles import browser_of
from tests.support.service import claimed_job, finished_job
from worker import periodic
from worker.chores import chores
from worker.engine.metadata import Metadata, dump
from worker.engine.naming import archive_key, metadata_key, pin_key
from worker.engine.storage import NotFound
from worker.engine.storage.s3 import open_storage

pytestmark = pytest.mark.django_db
DELETE = "/api/backup/delete"
START = datetime(2025, 8, 1, 5, tzinfo=UTC)


@pytest.fixture
def service(service_on_s3):
    return service_on_s3


@pytest.fixture
def storage(service):
    return open_storage(service.storage)


def put_backup(service, storage, day, data_size=100):
    at = START + timedelta(days=day)
    key = archive_key(service.plan, at)
    storage.put(key, b"archive")
    made = Metadata(at.isoformat(), 7, "sha256:" + "0" * 64, True, False, "1", data_size=data_size)
    storage.put(metadata_key(key), dump(made))
    return key


def test_the_preview_says_of_each_backup_whether_it_stays_and_why(api, service, storage):
    keys = [put_backup(service, storage, day) for day in range(5)]
    answer = api.get("/api/backup/retention").json()
    assert [one["key"] for one in answer["backups"]] == keys[::-1]
    assert [one["keep"] for one in answer["backups"]] == [True] * 3 + [False] * 2
    assert answer["backups"][0]["reason"] == "it is one of the 3 newest"
    assert [one["codes"] for one in answer["backups"]] == [["newest"]] * 3 + [["rule"]] * 2
    assert answer["halted"] == ""


def test_the_last_verified_one_and_one_in_use_are_known_from_the_database(api, service, storage):
    keys = [put_backup(service, storage, day) for day in range(6)]
    finished_job(kind=Kind.VERIFY, backup_key=keys[0])
    claimed_job(kind=Kind.RESTORE, backup_key=keys[1])
    told = {one["key"]: one["reason"] for one in api.get("/api/backup/retention").json()["backups"]}
    assert told[keys[0]] == "it is the last one that was verified"
    assert told[keys[1]] == "it is in use"
    assert told[keys[2]].startswith("it is not among")


def test_a_pin_is_set_shown_and_taken_away(api, service, storage):
    key = put_backup(service, storage, 1)
    body = {"backupKey": key}
    answer = api.post("/api/backup/pin/", body, content_type="application/json")
    assert (answer.status_code, answer.json()) == (200, {"backupKey": key, "pinned": True})
    assert api.get("/api/backup/list").json()["backups"][0]["pinned"] is True
    assert b'"by"' in storage.get_bytes(pin_key(key), limit=1000)
    gone = api.post("/api/backup/pin", body | {"pinned": False}, content_type="application/json")
    assert gone.json()["pinned"] is False
    with pytest.raises(NotFound):
        storage.head(pin_key(key))


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("backups/../etc/passwd", 400, "KEY_MALFORMED"),
        ("backups/whatsapp-data-backup-2025-01-01T00-00-00-000Z.tar.gz", 404, "BACKUP_NOT_FOUND"),
        (None, 400, "KEY_MALFORMED"),
    ],
)
def test_only_backups_of_ours_can_be_pinned(api, service, storage, key, status, code):
    body = {"backupKey": key} if key else {}
    answer = api.post("/api/backup/pin", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert list(storage.list("")) == []


def test_a_shrunken_backup_is_an_alert_until_it_is_confirmed(api, service, storage):
    for day, size in enumerate((100, 100, 100, 100, 10)):
        newest = put_backup(service, storage, day, size)
    api.get("/api/backup/list")
    (alert,) = api.get("/api/backup/status").json()["alerts"]
    assert alert["code"] == "RETENTION_HALTED"
    assert newest in alert["message"]
    assert all(one["keep"] for one in api.get("/api/backup/retention").json()["backups"])
    assert api.post("/api/backup/retention/confirm").json() == {"backupKey": newest}
    assert api.get("/api/backup/status").json()["alerts"] == []
    assert not api.get("/api/backup/retention").json()["halted"]
    again = api.post("/api/backup/retention/confirm")
    assert (again.status_code, again.json()["code"]) == (409, "NOTHING_TO_CONFIRM")


def test_a_backup_is_deleted_with_all_that_belongs_to_it(api, service, storage):
    keys = [put_backup(service, storage, day) for day in range(3)]
    answer = api.post(DELETE, {"backupKey": keys[1]}, content_type="application/json")
    assert (answer.status_code, answer.json()) == (200, {"backupKey": keys[1]})
    assert [one["key"] for one in api.get("/api/backup/list").json()["backups"]] == [
        keys[2],
        keys[0],
    ]
    assert not [one.key for one in storage.list(keys[1])]
    assert api.get("/api/backup/status").json()["counts"]["backups"] == 2
    again = api.post(DELETE, {"backupKey": keys[1]}, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (404, "BACKUP_NOT_FOUND")


def test_the_newest_a_pinned_one_and_one_in_use_are_not_deleted(api, service, storage):
    keys = [put_backup(service, storage, day) for day in range(3)]
    keeping.set_pin(service, keys[0], pinned=True, at=START, by="ana")
    for key in (keys[0], keys[2]):
        answer = api.post(DELETE, {"backupKey": key}, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (409, "BACKUP_KEPT")
    claimed_job(kind=Kind.RESTORE, backup_key=keys[1])
    answer = api.post(DELETE, {"backupKey": keys[1]}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (409, "JOB_ACTIVE")
    assert len(api.get("/api/backup/list").json()["backups"]) == 3


def test_a_person_types_the_name_of_the_backup_to_delete(service, storage):
    keys = [put_backup(service, storage, day) for day in range(2)]
    admin = browser_of("admin")
    name = keys[0].rpartition("/")[2].removesuffix(".tar.gz")
    for typed, status in (("", 400), (name[:-1], 400), (name, 200)):
        body = {"backupKey": keys[0], "confirm": typed}
        assert admin.post(DELETE, body, content_type="application/json").status_code == status
    restorer = browser_of("restorer", "bea")
    refused = restorer.post(DELETE, {"backupKey": keys[1]}, content_type="application/json")
    assert refused.json()["code"] == "NOT_ALLOWED"


def test_without_a_token_nothing_is_told_and_nothing_done(client, service, storage):
    key = put_backup(service, storage, 1)
    asked = (
        client.get("/api/backup/retention"),
        client.post("/api/backup/retention/confirm"),
        client.post("/api/backup/pin", {"backupKey": key}, content_type="application/json"),
    )
    assert [answer.status_code for answer in asked] == [401] * 3
    assert pin_key(key) not in {found.key for found in storage.list("")}


def test_the_janitor_leaves_alone_what_a_running_job_has_begun(service, storage):
    key = archive_key(service.plan, START)
    living, dead = (storage.start_upload(key) for _ in range(2))
    effect = {"effect": "upload", "key": key, "uploadId": living.upload_id}
    claimed_job(effects=[effect])
    keeping.tidy(service, now=datetime.now(UTC) + timedelta(days=2))
    assert [one.upload_id for one in storage.uploads("")] == [living.upload_id]
    assert dead.upload_id != living.upload_id


@pytest.mark.django_db(transaction=True)
def test_the_janitors_tick_leaves_what_is_young(service, storage):
    upload = storage.start_upload(archive_key(service.plan, START))
    periodic.janitor_tick()
    chores.wait()
    assert [one.upload_id for one in storage.uploads("")] == [upload.upload_id]
