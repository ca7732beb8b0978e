"""The outbox: a waiting row is hinted at until somebody takes it. And beat's own table."""

from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from backups_app.models import Job, WorkerSeen
from tests.support.service import claimed_job, finished_job, make_job
from worker import heartbeat, periodic, tasks
from worker.app import app

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue(redis_url):
    tasks.hints.reset()
    with redis.Redis.from_url(redis_url) as client:
        client.delete("backup")
        yield client
        client.delete("backup")


def test_a_lost_hint_is_sent_again(queue):
    job = make_job(dispatched_at=timezone.now() - timedelta(minutes=2))
    periodic.dispatch_tick()
    assert str(job.pk) in queue.lrange("backup", 0, -1)[0].decode()
    periodic.dispatch_tick()
    assert queue.llen("backup") == 1


def test_a_fresh_hint_is_not_sent_again(queue):
    make_job(dispatched_at=timezone.now())
    periodic.dispatch_tick()
    assert queue.llen("backup") == 0


def test_jobs_that_run_or_have_ended_need_no_hint(queue):
    claimed_job()
    finished_job()
    periodic.dispatch_tick()
    assert queue.llen("backup") == 0


def test_without_redis_the_next_tick_tries_again(queue, monkeypatch):
    make_job()
    monkeypatch.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:9/0")
    periodic.dispatch_tick()
    assert Job.objects.get().dispatched_at is None
    monkeypatch.undo()
    tasks.hints.reset()
    periodic.dispatch_tick()
    assert Job.objects.get().dispatched_at is not None
    assert queue.llen("backup") == 1


def test_every_periodic_task_exists_and_runs_on_the_control_queue():
    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks
        assert entry["options"] == {"queue": "control", "expires": entry["schedule"]}


def test_a_heartbeat_marks_the_worker_as_alive():
    heartbeat.beat("jobs@here", runs_jobs=True)
    heartbeat.beat("jobs@here", runs_jobs=True)
    assert WorkerSeen.objects.alive().get().name == "jobs@here"


def test_a_worker_that_runs_jobs_sends_lost_hints_itself(queue):
    make_job()
    heartbeat.beat("control@here", runs_jobs=False)
    assert queue.llen("backup") == 0
    heartbeat.beat("jobs@here", runs_jobs=True)
    assert queue.llen("backup") == 1


def test_workers_not_seen_for_a_day_are_forgotten():
    WorkerSeen.objects.create(
        name="old", runs_jobs=True, seen_at=timezone.now() - timedelta(days=2)
    )
    heartbeat.beat("jobs@here", runs_jobs=True)
    assert WorkerSeen.objects.get().name == "jobs@here"
