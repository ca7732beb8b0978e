"""Row 90 of the fault matrix: a scheduled drill finds a backup that was damaged in the bucket."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

import pytest
import redis
from django.test import Client

from backups_app import services
from backups_app.models import Job, Kind
from backups_app.states import State
from tests.support.celeryworker import Worker, environment
from tests.support.s3client import s3_client
from tests.support.service import BEARER
from worker import slots, tasks

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 120


@pytest.fixture
def worker(service_on_s3, redis_url):
    """A real worker that keeps two backups and drills."""
    tasks.hints.reset()
    with redis.Redis.from_url(redis_url) as client:
        client.delete("backup.main")
    more = {"BACKUP_MAX_BACKUPS": "2"}
    running = Worker.start(environment(service_on_s3, redis_url=redis_url) | more)
    yield running
    running.kill()


def ended(job):
    end = monotonic() + PATIENCE
    while not (found := Job.objects.get(pk=job.pk)).finished_at:
        assert monotonic() < end, (found.state, found.phase)
        sleep(0.2)
    return found


def back_up():
    done = ended(services.start_backup(trigger="api", requested_by="test"))
    assert done.state == State.SUCCEEDED, done.error_message
    return done.backup_key


def drill(service):
    """As the tick does it when the drill's minute has come."""
    weekly = replace(
        service, enabled=True, schedule="0 0 1 1 *", verify_schedule="", drill_schedule="0 5 * * 6"
    )
    before = datetime(2025, 8, 30, 7, tzinfo=UTC)
    slots.run_due(weekly, before)
    slots.run_due(weekly, before + timedelta(hours=1))
    return ended(Job.objects.get(kind=Kind.DRILL))


def flip(service, key):
    """One bit in the middle, by somebody else."""
    s3, bucket = s3_client(service.storage), service.storage.bucket
    body = bytearray(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    body[len(body) // 2] ^= 1
    s3.put_object(Bucket=bucket, Key=key, Body=bytes(body))


def get(what):
    return Client(headers=BEARER).get(f"/api/backup/{what}").json()


def test_row_90_a_drill_raises_an_alarm_and_the_damaged_backup_does_not_count(
    service_on_s3, worker
):
    oldest, damaged = back_up(), back_up()
    flip(service_on_s3, damaged)

    found = drill(service_on_s3)
    assert (found.state, found.backup_key) == (State.FAILED, damaged)
    assert found.error_code in {"ARCHIVE_DAMAGED", "ARCHIVE_CHECKSUM"}
    (alert,) = get("status")["alerts"]
    assert (alert["code"], alert["backupKey"]) == ("BACKUP_DAMAGED", damaged)
    assert alert["hint"]
    marks = {
        one["key"]: one["damaged"] and one["damaged"]["code"] for one in get("list")["backups"]
    }
    assert marks == {oldest: None, damaged: found.error_code}
    assert datetime.fromisoformat(get("status")["lastSuccess"]) < found.created_at

    newest = back_up()
    kept = [one["key"] for one in get("list")["backups"]]
    assert kept == [
        newest,
        damaged,
        oldest,
    ]  # two sound ones: without the alarm the oldest had gone
    assert not list(service_on_s3.plan.temp_dir.glob(".tarkeep-drill-*"))


def test_row_90_a_drill_of_a_sound_backup_is_the_proof_that_status_shows(service_on_s3, worker):
    key = back_up()
    done = drill(service_on_s3)
    assert done.state == State.SUCCEEDED, done.error_message
    proof = get("status")["lastProven"]
    assert (proof["backupKey"], proof["files"], proof["bytes"]) == (key, 1, 6)
    assert done.result["compared"] is True
    assert [phase["name"] for phase in done.phases] == [
        "preparing", "restoring", "comparing", "command",
    ]  # fmt: skip
