"""POST /api/backup/restore, /api/backup/verify and /api/backup/drill"""

import dataclasses
from datetime import UTC, datetime

import pytest

from backups_app import services
from backups_app.models import Job
from backups_app.raw import as_text
from tests.support.s3client import s3_client
from tests.support.service import KEY, claimed_job
from worker.engine.backup import run_backup
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage

pytestmark = pytest.mark.django_db(transaction=True)
URLS = ["/api/backup/restore", "/api/backup/verify", "/api/backup/drill"]


@pytest.fixture
def backup(service_on_s3):
    """An archive as `tar czf` makes it lies in the bucket, without metadata."""
    s3 = s3_client(service_on_s3.storage)
    s3.put_object(Bucket=service_on_s3.storage.bucket, Key=KEY, Body=b"archive")
    return KEY


def post(api, url, body):
    return api.post(url, data=body, content_type="application/json")


@pytest.mark.parametrize("url", URLS)
def test_it_is_queued_with_the_key(api, backup, url):
    answer = post(api, url, {"backupKey": backup})
    job = Job.objects.get()
    assert answer.status_code == 202
    assert answer.json()["jobId"] == str(job.pk)
    assert answer.json()["job"]["backupKey"] == backup
    assert url.endswith(job.kind)


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"backupKey": ""},
        {"backupKey": None},
        {"backupKey": 5},
        {"backupKey": ["a"]},
        {"backupKey": "../etc/passwd"},
        {"backupKey": f"{KEY}/../x"},
        {"backupKey": KEY.replace("backups/", "other/")},
        {"backupKey": KEY.replace("/", "%2F")},
        {"backupKey": f" {KEY}"},
        {"backupKey": f"{KEY}\0"},
        {"backupKey": "x" * 5000},
    ],
    ids=lambda body: repr(body)[:40],
)
def test_a_missing_or_malformed_key_is_refused(api, service, url, body):
    answer = post(api, url, body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "KEY_MALFORMED"
    assert answer.json()["hint"]
    assert not Job.objects.exists()


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("body", ["[]", '"x"', "{", "null"])
def test_a_body_that_is_no_object_is_refused(api, service, url, body):
    answer = post(api, url, body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "hint"}


@pytest.mark.parametrize("url", URLS)
def test_an_unknown_key_is_not_found(api, service_on_s3, url):
    answer = post(api, url, {"backupKey": KEY})
    assert answer.status_code == 404
    assert answer.json()["code"] == "BACKUP_NOT_FOUND"
    assert not Job.objects.exists()


@pytest.mark.parametrize("url", URLS)
def test_while_a_job_is_active_it_is_refused(api, backup, url):
    active = claimed_job()
    answer = post(api, url, {"backupKey": backup})
    assert answer.status_code == 409
    assert answer.json()["job"]["id"] == str(active.pk)


@pytest.mark.parametrize("url", URLS)
def test_a_bucket_out_of_reach_is_named(api, service, url):
    answer = post(api, url, {"backupKey": KEY})
    assert answer.status_code == 503
    assert answer.json()["code"] == "STORAGE_UNREACHABLE"
    assert answer.json()["message"].startswith("Failed to connect to S3")


def test_a_form_is_refused(api, service):
    answer = api.post(URLS[0], data={"backupKey": KEY})
    assert answer.status_code == 415
    assert answer.json()["code"] == "UNSUPPORTED_MEDIA_TYPE"


RESTORE = URLS[0]


def test_paths_and_a_folder_are_kept_with_the_job(api, backup, service_on_s3, settings, tmp_path):
    plan = dataclasses.replace(service_on_s3.plan, restore_dir=tmp_path / "restored")
    settings.TARKEEP = dataclasses.replace(service_on_s3, plan=plan)
    answer = post(api, RESTORE, {"backupKey": backup, "paths": ["a", "*.json"], "to": "new"})
    job = Job.objects.get()
    assert answer.status_code == 202
    assert (job.paths, job.target) == (["a", "*.json"], "new")
    assert answer.json()["job"]["paths"] == ["a", "*.json"]
    assert answer.json()["job"]["target"] == "new"


def test_a_retried_restore_restores_the_same_part(api, backup):
    post(api, RESTORE, {"backupKey": backup, "paths": ["a"]})
    job = Job.objects.get()
    job.cancel()
    again = services.retry(job, not_before=None, attempt=2)
    assert (again.paths, again.target, again.backup_key) == (["a"], "", backup)


def test_entries_are_kept_with_the_job_as_they_are(api, backup):
    raw = b"bad-\xff[1].txt"
    entries = [{"path": "notes[ab].txt"}, {"path64": as_text(raw)}]
    answer = post(api, RESTORE, {"backupKey": backup, "entries": entries})
    job = Job.objects.get()
    assert (job.paths, job.entry_paths) == ([], [b"notes[ab].txt", raw])
    told = answer.json()["job"]["entries"]
    assert told[0] == {"path": "notes[ab].txt", "path64": None}
    assert told[1]["path64"] == as_text(raw)
    job.cancel()
    assert services.retry(job, not_before=None, attempt=2).entry_paths == job.entry_paths


@pytest.mark.parametrize(
    "entries",
    [[{}], [{"path": ""}], [{"path64": "%"}], "a", [{"path": "a\0"}], [{"path": "\udcff"}],
     [{"path": "a"}] * 1001],
    ids=lambda entries: repr(entries)[:30],
)  # fmt: skip
def test_odd_entries_are_refused(api, backup, entries):
    answer = post(api, RESTORE, {"backupKey": backup, "entries": entries})
    assert answer.status_code == 400
    assert not Job.objects.exists()


@pytest.fixture
def made(service_on_s3):
    """A backup of ours, with its metadata."""
    storage = open_storage(service_on_s3.storage)
    now = datetime(2025, 8, 29, 5, tzinfo=UTC)
    return run_backup(service_on_s3.plan, storage, Progress(), now=now).key


@pytest.mark.parametrize("url", URLS)
def test_the_newest_backup_needs_no_key(api, made, url):
    assert post(api, url, {"backupKey": "latest"}).json()["job"]["backupKey"] == made


@pytest.mark.parametrize("url", [RESTORE, "/api/backup/preview-restore"])
def test_a_time_stands_for_the_newest_backup_of_then(api, made, url):
    """Without an offset it is meant in the zone of the schedule."""
    answer = post(api, url, {"at": "2025-08-29T05:00+00:00"}).json()
    assert answer.get("job", answer)["backupKey"] == made
    assert post(api, url, {"at": "2025-08-29T01:59"}).status_code == 404


@pytest.mark.parametrize(
    ("which", "status"),
    [({"at": "2001-01-01"}, 404), ({"at": "yesterday"}, 400), ({}, 400),
     ({"at": "2099-01-01", "backupKey": "latest"}, 400)],
    ids=str,
)  # fmt: skip
def test_a_time_without_backup_and_two_ways_to_name_one_are_refused(api, backup, which, status):
    assert post(api, RESTORE, which).status_code == status
    assert not Job.objects.exists()


def test_another_folder_is_refused_where_none_is_set(api, backup):
    answer = post(api, RESTORE, {"backupKey": backup, "to": "new"})
    assert (answer.status_code, answer.json()["code"]) == (400, "RESTORE_DIR_UNSET")
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"to": "../out"}, {"to": "/etc"}, {"to": ".hidden"}, {"to": "a/b"}, {"to": "a\0"},
        {"paths": "a"}, {"paths": [""]}, {"paths": ["!a"]}, {"paths": [5, None]},
        {"paths": ["a"] * 1001}, {"paths": ["*" * 9]},
    ],
    ids=lambda body: repr(body)[:40],
)  # fmt: skip
def test_odd_paths_and_folders_are_refused(api, backup, body):
    answer = post(api, RESTORE, {"backupKey": backup, **body})
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "hint"}
    assert not Job.objects.exists()
