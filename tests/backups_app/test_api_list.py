"""GET /api/backup/list"""

import json

import pytest

from backups_app.models import BucketSummary, Kind
from backups_app.states import State
from tests.support.s3client import s3_client
from tests.support.service import finished_job

pytestmark = pytest.mark.django_db
URL = "/api/backup/list"
NAME = "backups/whatsapp-data-backup-2025-08-{day}T05-00-00-000Z.tar.gz"
METADATA = {
    "timestamp": "2025-08-30T05:00:00.000Z",
    "size": 7,
    "checksum": "sha256:" + "0" * 64,
    "compressed": True,
    "encrypted": False,
    "version": "1.0.0",
}


@pytest.fixture
def bucket(service_on_s3):
    storage = service_on_s3.storage
    s3 = s3_client(storage)

    def put(key, body=b"archive"):
        s3.put_object(Bucket=storage.bucket, Key=key, Body=body)

    return put


def put_backup(put, day):
    key = NAME.format(day=day)
    put(key)
    put(f"{key}.metadata.json", json.dumps(METADATA).encode())
    return key


def test_an_empty_bucket_is_an_empty_list(api, service_on_s3):
    assert api.get(URL).json() == {"backups": []}


def test_backups_are_listed_newest_first_with_their_metadata(api, bucket):
    keys = [put_backup(bucket, day) for day in ("29", "31", "30")]
    bucket("backups/notes.txt")
    backups = api.get(URL).json()["backups"]
    assert [backup["key"] for backup in backups] == sorted(keys, reverse=True)
    assert {key: backups[0][key] for key in ("size", "metadata")} == {
        "size": 7,
        "metadata": METADATA,
    }
    assert backups[0]["lastModified"].endswith("Z")


def test_listing_keeps_count_and_sizes_for_the_status(api, bucket):
    put_backup(bucket, "29")
    put_backup(bucket, "30")
    api.get(URL)
    seen = BucketSummary.objects.get()
    assert (seen.backups, seen.total_bytes, seen.latest_bytes) == (2, 14, 7)


def test_a_bucket_out_of_reach_is_named_without_its_keys(api, service):
    answer = api.get(URL)
    assert answer.status_code == 503
    assert answer.json()["message"].startswith("Failed to connect to S3")
    assert service.storage.secret_key * 8 not in answer.content.decode()


def test_what_is_known_of_a_backup_stands_beside_it(api, bucket):
    proven, damaged, unknown = (put_backup(bucket, day) for day in ("31", "30", "29"))
    finished_job(kind=Kind.DRILL, backup_key=proven, result={"files": 3, "bytes": 40})
    told = {"error_code": "INDEX_MISSING", "error_message": "m", "error_hint": "h"}
    finished_job(State.FAILED, kind=Kind.VERIFY, backup_key=damaged, **told)
    backups = {one["key"]: one for one in api.get(URL).json()["backups"]}
    assert backups[proven]["proven"]["files"] == 3
    assert backups[proven]["damaged"] is None
    assert backups[damaged]["damaged"]["code"] == "INDEX_MISSING"
    for name in ("verified", "proven", "damaged"):
        assert backups[unknown][name] is None
