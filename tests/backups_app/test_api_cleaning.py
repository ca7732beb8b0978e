"""POST prune, POST tidy, GET dry-run"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backups_app import cleaning
from backups_app.models import AuditEntry
from tests.support.people import browser_of
from tests.support.s3client import s3_client
from tests.support.service import make_job
from worker.engine import janitor
from worker.engine.backup import run_backup
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage

pytestmark = pytest.mark.django_db
PRUNE, TIDY, DRY_RUN = "/api/backup/prune", "/api/backup/tidy", "/api/backup/dry-run"


def post(client, url, **body):
    return client.post(url, body, content_type="application/json")


@pytest.fixture
def four_backups(service_on_s3, settings):
    """Of which retention keeps two."""
    plan = replace(service_on_s3.plan, max_backups=4)
    storage, start = open_storage(service_on_s3.storage), datetime(2026, 1, 1, tzinfo=UTC)
    made = [
        run_backup(plan, storage, Progress(), now=start + timedelta(days=day)).key
        for day in range(4)
    ]
    settings.TARKEEP = replace(service_on_s3, plan=replace(plan, max_backups=2))
    return made


def left(api):
    return [backup["key"] for backup in api.get("/api/backup/list").json()["backups"]]


def test_prune_deletes_what_retention_does_not_keep_and_says_so(api, four_backups):
    answer = post(api, PRUNE)
    assert answer.status_code == 200
    told = answer.json()
    assert told["deleted"] == four_backups[:2]
    assert [one["keep"] for one in told["backups"]] == [True, True, False, False]
    assert left(api) == four_backups[:1:-1]
    assert AuditEntry.objects.get(action="prune").details == {"deleted": four_backups[:2]}
    assert post(api, PRUNE).json()["deleted"] == []


def test_a_person_types_the_word_and_has_signed_in_lately(service, four_backups, api):
    browser = browser_of("admin")
    for typed in ({}, {"confirm": "yes"}):
        answer = post(browser, PRUNE, **typed)
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
        assert "is not the word prune" in answer.json()["message"]
    old = browser_of("admin", name="old", age=3600)
    assert post(old, PRUNE, confirm="prune").json()["code"] == "LOGIN_TOO_OLD"
    assert len(left(api)) == 4
    assert post(browser, PRUNE, confirm="prune").status_code == 200
    assert len(left(api)) == 2


def test_nothing_is_pruned_while_a_job_is_active(api, four_backups):
    make_job()
    assert post(api, PRUNE).json()["code"] == "JOB_ACTIVE"
    assert len(left(api)) == 4


def test_tidy_says_what_it_would_do_and_does_it(api, service_on_s3, monkeypatch):
    config = service_on_s3.storage
    bucket = s3_client(config)
    key = "backups/whatsapp-data-backup-2025-08-29T05-00-00-000Z.tar.gz"
    bucket.create_multipart_upload(Bucket=config.bucket, Key=key)
    monkeypatch.setattr(janitor, "TTL", timedelta(days=-1))
    assert post(api, TIDY, dryRun=True).json()["aborted"] == [key]
    assert bucket.list_multipart_uploads(Bucket=config.bucket).get("Uploads")
    assert post(api, TIDY).json() == {
        "dryRun": False, "deleted": [], "aborted": [key], "left": [],
    }  # fmt: skip
    assert not bucket.list_multipart_uploads(Bucket=config.bucket).get("Uploads")


def test_a_dry_run_counts_and_saves_nothing(api, service):
    assert api.get(DRY_RUN).json() == {"files": 1, "folders": 1, "bytes": 6, "excluded": 0}
    (service.plan.data_dir / "hello.txt").unlink()
    assert api.get(DRY_RUN).json()["code"] == "SOURCE_EMPTY"


def test_a_dry_run_that_takes_too_long_says_where_to_ask(api, service, monkeypatch):
    monkeypatch.setattr(cleaning, "DRY_RUN_SECONDS", -1)
    answer = api.get(DRY_RUN)
    assert (answer.status_code, answer.json()["code"]) == (503, "DRY_RUN_TOO_LONG")
    assert "tarkeep backup --dry-run" in answer.json()["hint"]
