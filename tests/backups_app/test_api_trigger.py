"""POST /api/backup/trigger"""

import json
import threading
import uuid
from dataclasses import replace

import pytest
import redis
from django.db import connection
from django.test import Client

from backups_app import events
from backups_app.models import Job, Trigger
from backups_app.states import State
from tests.support.people import person
from tests.support.service import KEY, claimed_job, make_job
from worker import tasks
from worker.app import app as celery
from worker.engine.settings import Problem

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/backup/trigger"


@pytest.fixture
def queue(redis_url):
    """The job queue in Redis, empty at first."""
    with redis.Redis.from_url(redis_url) as client:
        client.delete("backup.main")
        yield client
        client.delete("backup.main")


def test_a_backup_is_queued(api, service):
    answer = api.post(URL)
    body = answer.json()
    job = Job.objects.get()
    assert answer.status_code == 202
    assert body["message"] == "Backup queued"
    assert body["jobId"] == body["job"]["id"] == str(job.pk)
    assert (body["job"]["state"], body["job"]["kind"]) == ("PENDING", "backup")
    assert (job.trigger, job.requested_by) == (Trigger.API, "API token")


def test_a_hint_with_the_id_alone_lies_in_redis(api, service, queue):
    tasks.hints.reset()
    job_id = api.post(URL).json()["jobId"]
    message = json.loads(queue.lrange("backup.main", 0, -1)[0])
    assert message["headers"]["task"] == "tarkeep.run_job"
    assert message["headers"]["argsrepr"] == f"('{job_id}',)"


@pytest.mark.parametrize("body", [None, "", "{}"])
def test_a_body_is_not_needed(api, service, body):
    sent = {} if body is None else {"data": body, "content_type": "application/json"}
    assert api.post(URL, **sent).status_code == 202


@pytest.mark.parametrize("mode", ["", "full", "deep"])
def test_it_can_be_asked_to_pack_or_to_compare_all(api, service, mode):
    answer = api.post(URL, data=json.dumps({"mode": mode}), content_type="application/json")
    assert answer.json()["job"]["mode"] == Job.objects.get().mode == mode


def test_another_mode_is_named_and_nothing_is_queued(api, service):
    answer = api.post(URL, data='{"mode": "thorough"}', content_type="application/json")
    assert answer.status_code == 400
    assert "mode" in answer.json()["message"] + answer.json()["hint"]
    assert not Job.objects.exists()


def test_a_slash_at_the_end_is_no_other_address(api, service):
    assert api.post(f"{URL}/").status_code == 202


@pytest.mark.parametrize("make", [make_job, claimed_job])
def test_a_second_job_is_refused_with_the_first(api, service, make):
    active = make()
    answer = api.post(URL)
    assert answer.status_code == 409
    assert answer.json()["code"] == "JOB_ACTIVE"
    assert answer.json()["hint"]
    assert answer.json()["job"]["id"] == str(active.pk)
    assert Job.objects.count() == 1


def test_twenty_requests_at_once_start_one_job(service):
    barrier, statuses = threading.Barrier(20), []

    def post():
        from tests.support.service import BEARER

        barrier.wait()
        statuses.append(Client(headers=BEARER).post(URL).status_code)
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [202] + [409] * 19
    assert Job.objects.count() == 1


def test_wrong_settings_are_named_and_nothing_is_queued(api, service, settings):
    missing = Problem("BACKUP_S3_BUCKET", "BACKUP_S3_BUCKET is not configured", "Set it.")
    settings.TARKEEP = replace(service, problems=(missing,))
    answer = api.post(URL)
    assert answer.status_code == 503
    assert answer.json() == {
        "code": "BUCKET_NOT_CONFIGURED",
        "message": "BACKUP_S3_BUCKET is not configured",
        "hint": "Set it.",
    }
    assert not Job.objects.exists()


@pytest.mark.row(9)
def test_without_redis_the_job_is_queued_all_the_same(api, service, settings, monkeypatch):
    monkeypatch.setattr(celery.conf, "broker_write_url", "redis://127.0.0.1:9/0")
    layers = settings.CHANNEL_LAYERS["default"]
    dead = {**layers, "CONFIG": {"hosts": ["redis://127.0.0.1:9/0"]}}
    settings.CHANNEL_LAYERS = {"default": dead}
    tasks.hints.reset()
    events.breaker.reset()
    failed = (tasks.hints.failed, events.breaker.failed)
    assert api.post(URL).status_code == 202
    assert Job.objects.get().state == State.PENDING
    assert (tasks.hints.failed, events.breaker.failed) == (failed[0] + 1, failed[1] + 1)
    tasks.hints.reset()
    events.breaker.reset()


def ending(state, **fields):
    """End the job that waits, from another thread, as a worker would."""

    def work():
        while (job := Job.objects.filter(state=State.PENDING).first()) is None:
            pass
        Job.objects.claim(job.pk, owner="test").finish(state, **fields)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_with_wait_the_answer_is_the_finished_backup(api, service):
    worker = ending(State.SUCCEEDED, backup_key=KEY)
    answer = api.post(f"{URL}?wait=30")
    worker.join()
    assert answer.status_code == 200
    assert answer.json()["message"] == "Backup completed"
    assert answer.json()["backupKey"] == KEY
    assert answer.json()["job"]["state"] == "SUCCEEDED"


def test_with_wait_a_failure_is_told_with_its_reason(api, service):
    error = {"error_code": "STORAGE_UNREACHABLE", "error_message": "Failed to connect to S3"}
    worker = ending(State.FAILED, **error)
    answer = api.post(f"{URL}?wait=30")
    worker.join()
    assert answer.status_code == 503
    assert answer.json()["code"] == "STORAGE_UNREACHABLE"
    assert answer.json()["message"] == "Failed to connect to S3"
    assert answer.json()["job"]["state"] == "FAILED"


def test_when_the_wait_is_over_the_job_goes_on(api, service):
    answer = api.post(f"{URL}?wait=1")
    assert answer.status_code == 202
    assert Job.objects.get().state == State.PENDING


@pytest.mark.parametrize("wait", ["-1", "x", "3601", "1e3"])
def test_an_odd_wait_is_named_and_nothing_is_queued(api, service, wait):
    answer = api.post(f"{URL}?wait={wait}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "INVALID_REQUEST"
    assert answer.json()["message"].startswith("wait: ")
    assert not Job.objects.exists()


def test_a_session_is_told_from_the_token(service):
    browser = Client()
    browser.force_login(person("operator"))
    browser.post(URL)
    job = Job.objects.get()
    assert (job.trigger, job.requested_by) == (Trigger.MANUAL, "ana")
    assert uuid.UUID(str(job.pk))
