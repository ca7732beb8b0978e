"""POST /api/backup/restore and /api/backup/verify"""

import pytest

from backups_app.models import Job
from tests.support.s3client import s3_client
from tests.support.service import KEY, claimed_job

pytestmark = pytest.mark.django_db(transaction=True)
URLS = ["/api/backup/restore", "/api/backup/verify"]


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
        {"backupKey": "latest"},
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
