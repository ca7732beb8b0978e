"""Damage that the bucket tells of reaches the history, and leaves it with its mark."""

import json

import pytest

from backups_app import bucket, keeping, proofs
from backups_app.models import Job, Kind, Trigger
from tests.support.service import KEY, finished_job
from worker.engine.backup import run_backup
from worker.engine.naming import archive_key, damaged_key, parse_key
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage

pytestmark = pytest.mark.django_db
MARK = {"at": "2025-08-30T05:00:00+00:00", "code": "ARCHIVE_DAMAGED", "message": "It is cut."}


@pytest.fixture
def storage(service_on_s3):
    """A bucket with one backup."""
    storage = open_storage(service_on_s3.storage)
    run_backup(service_on_s3.plan, storage, Progress(), now=parse_key(service_on_s3.plan, KEY))
    return storage


def test_a_mark_becomes_a_failed_verification_of_that_time_once(service_on_s3, storage):
    storage.put(damaged_key(KEY), json.dumps(MARK).encode())
    bucket.refresh(service_on_s3)
    bucket.refresh(service_on_s3)
    (job,) = Job.objects.filter(kind=Kind.VERIFY)
    assert (job.error_code, job.error_message, job.trigger) == (
        "ARCHIVE_DAMAGED", "It is cut.", Trigger.IMPORT,
    )  # fmt: skip
    assert job.finished_at.isoformat() == MARK["at"]
    assert proofs.damages("default").keys() == {KEY}
    assert keeping.held("default").damaged == {KEY}


def test_it_leaves_with_the_mark(service_on_s3, storage):
    storage.put(damaged_key(KEY), json.dumps(MARK).encode())
    bucket.refresh(service_on_s3)
    storage.delete(damaged_key(KEY))
    bucket.refresh(service_on_s3)
    assert proofs.damages("default") == {}


def test_what_the_service_found_itself_stays_without_a_mark(service_on_s3, storage):
    finished_job("FAILED", kind=Kind.VERIFY, backup_key=KEY, error_code="ARCHIVE_DAMAGED")
    bucket.refresh(service_on_s3)
    assert proofs.damages("default").keys() == {KEY}


def test_a_mark_of_a_backup_that_is_not_listed_is_none(service_on_s3, storage):
    other = archive_key(service_on_s3.plan, parse_key(service_on_s3.plan, KEY).replace(year=2020))
    storage.put(damaged_key(other), json.dumps(MARK).encode())
    bucket.refresh(service_on_s3)
    assert not Job.objects.exists()
