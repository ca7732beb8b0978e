"""The outbox: a waiting row is hinted at until somebody takes it. And beat's own table."""

from datetime import timedelta

import pytest
import redis
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from backups_app import watcher
from backups_app.models import Job, Part, PartSeen
from tests.support.service import claimed_job, finished_job, make_job
from worker import dispatch, periodic, tasks
from worker.app import app

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue(redis_url):
    tasks.hints.reset()
    with redis.Redis.from_url(redis_url) as client:
        client.delete("backup.main")
        yield client
        client.delete("backup.main")


def test_a_lost_hint_is_sent_again(queue):
    job = make_job(dispatched_at=timezone.now() - timedelta(minutes=2))
    periodic.dispatch_tick()
    assert str(job.pk) in queue.lrange("backup.main", 0, -1)[0].decode()
    periodic.dispatch_tick()
    assert queue.llen("backup.main") == 1


def test_a_fresh_hint_is_not_sent_again(queue):
    make_job(dispatched_at=timezone.now())
    periodic.dispatch_tick()
    assert queue.llen("backup.main") == 0


def test_jobs_that_run_or_have_ended_need_no_hint(queue):
    claimed_job()
    finished_job()
    periodic.dispatch_tick()
    assert queue.llen("backup.main") == 0


@pytest.mark.row(9)
def test_without_redis_the_next_tick_tries_again(queue, monkeypatch):
    make_job()
    monkeypatch.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:9/0")
    periodic.dispatch_tick()
    assert Job.objects.get().dispatched_at is None
    monkeypatch.undo()
    tasks.hints.reset()
    periodic.dispatch_tick()
    assert Job.objects.get().dispatched_at is not None
    assert queue.llen("backup.main") == 1


def test_every_periodic_task_exists_and_runs_on_the_control_queue():
    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks
        assert entry["options"] == {"queue": "control.main", "expires": entry["schedule"]}


def test_the_pulse_marks_a_part_as_alive():
    for _ in range(2):
        watcher.beat("jobs@here", [Part.WORKER], lambda: None)
    assert PartSeen.objects.alive().get().name == "jobs@here"


def test_a_part_that_leaves_is_gone_at_once_but_not_forgotten():
    PartSeen.objects.mark("jobs@here", Part.WORKER)
    PartSeen.objects.leave("jobs@here")
    assert not PartSeen.objects.alive().exists()
    assert PartSeen.objects.get().seen_at


def test_a_worker_that_runs_jobs_sends_lost_hints_itself(queue):
    make_job()
    watcher.beat("control@here", [Part.CONTROL], lambda: None)
    assert queue.llen("backup.main") == 0
    watcher.beat("jobs@here", [Part.WORKER], dispatch.resend)
    assert queue.llen("backup.main") == 1


def test_parts_not_seen_for_a_day_are_forgotten():
    old = timezone.now() - timedelta(days=2)
    PartSeen.objects.create(name="old", part=Part.WORKER, since=old, seen_at=old)
    PartSeen.objects.mark("jobs@here", Part.WORKER)
    assert PartSeen.objects.get().name == "jobs@here"


def test_nothing_is_done_to_a_database_of_another_version(queue):
    make_job(dispatched_at=timezone.now() - timedelta(minutes=2))
    recorder = MigrationRecorder(connection)
    recorder.record_applied("backups_app", "9999_of_tomorrow")
    try:
        periodic.dispatch_tick()
        assert queue.llen("backup.main") == 0
    finally:
        recorder.record_unapplied("backups_app", "9999_of_tomorrow")
    periodic.dispatch_tick()
    assert queue.llen("backup.main") == 1
