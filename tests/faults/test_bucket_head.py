"""Row 74 of the fault matrix: the newest backup deleted, replaced or replayed in the bucket.

What remains there is sound, so only the history can tell.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from backups_app import bucket, services
from backups_app.models import Job
from backups_app.states import State
from tests.support.s3client import s3_client
from tests.support.service import BEARER
from worker import tasks
from worker.engine.backup import run_backup
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage

pytestmark = pytest.mark.django_db(transaction=True)


def back_up():
    job = services.start_backup(trigger="api", requested_by="test")
    tasks.run_job(str(job.pk))
    made = Job.objects.get(pk=job.pk)
    assert made.state == State.SUCCEEDED, made.error_message
    return made.backup_key


def alerts():
    body = Client(headers=BEARER).get("/api/backup/status").json()
    return [(one["code"], one["backupKey"]) for one in body["alerts"] if one["hint"]]


@pytest.fixture
def s3(service_on_s3):
    """The bucket as somebody else sees it: get, put and delete by key."""

    class Bucket:
        client, name = s3_client(service_on_s3.storage), service_on_s3.storage.bucket

        def get(self, key):
            return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

        def put(self, key, body):
            self.client.put_object(Bucket=self.name, Key=key, Body=body)

        def delete(self, key):
            for suffix in ("", ".metadata.json", ".index"):
                self.client.delete_object(Bucket=self.name, Key=key + suffix)

    return Bucket()


def test_row_74_all_is_quiet_while_the_newest_backup_is_what_was_made(service_on_s3, s3):
    back_up()
    back_up()
    bucket.refresh(service_on_s3)
    services.list_backups()
    assert alerts() == []


def test_row_74_a_deleted_newest_backup_raises_an_alarm_until_a_new_one_is_made(service_on_s3, s3):
    back_up()
    newest = back_up()
    s3.delete(newest)
    bucket.refresh(service_on_s3)
    assert alerts() == [("HEAD_MISSING", newest)]
    back_up()
    assert alerts() == []


def test_row_74_an_older_backup_replayed_as_the_newest_raises_an_alarm(service_on_s3, s3):
    older = back_up()
    (service_on_s3.plan.data_dir / "more.txt").write_text("more\n")
    newest = back_up()
    for suffix in ("", ".metadata.json", ".index"):
        s3.put(newest + suffix, s3.get(older + suffix))
    bucket.refresh(service_on_s3)
    assert alerts() == [("HEAD_CHANGED", newest)]


def test_row_74_what_the_history_knows_as_another_is_not_restored(service_on_s3, s3):
    """Even where its metadata was forged to fit the name."""
    old = back_up()
    (service_on_s3.plan.data_dir / "more").write_text("x")
    key = back_up()
    told = json.loads(s3.get(f"{old}.metadata.json"))
    told["timestamp"] = json.loads(s3.get(f"{key}.metadata.json"))["timestamp"]
    s3.put(key, s3.get(old))
    s3.put(f"{key}.metadata.json", json.dumps(told).encode())
    job = services.start_restore(key=key, trigger="api", requested_by="test")
    tasks.run_job(str(job.pk))
    done = Job.objects.get(pk=job.pk)
    assert (done.state, done.error_code) == (State.FAILED, "HEAD_CHANGED")
    assert "tarkeep restore" in done.error_hint
    assert (service_on_s3.plan.data_dir / "more").exists()


def test_row_74_metadata_that_vouches_for_another_archive_raises_an_alarm(service_on_s3, s3):
    newest = back_up()
    about = json.loads(s3.get(f"{newest}.metadata.json"))
    about["checksum"] = f"sha256:{'0' * 64}"
    s3.put(f"{newest}.metadata.json", json.dumps(about).encode())
    services.list_backups()
    assert alerts() == [("HEAD_CHANGED", newest)]


def test_row_74_another_bucket_or_prefix_is_another_story(service_on_s3, settings, s3):
    newest = back_up()
    s3.delete(newest)
    plan = replace(service_on_s3.plan, prefix="elsewhere/")
    settings.TARKEEP = replace(service_on_s3, plan=plan)
    bucket.refresh(settings.TARKEEP)
    assert alerts() == []


def test_row_74_backups_that_the_command_line_made_and_rotated_are_no_alarm(service_on_s3, s3):
    back_up()
    storage = open_storage(service_on_s3.storage)
    for hours in range(1, 4):
        later = datetime.now(UTC) + timedelta(hours=hours)
        run_backup(service_on_s3.plan, storage, Progress(), now=later)
    bucket.refresh(service_on_s3)
    assert alerts() == []
