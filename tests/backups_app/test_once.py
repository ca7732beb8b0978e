"""Idempotency-Key, ETag, and the choice of jobs."""

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from backups_app.models import ApiToken, AuditEntry, Job, Once
from backups_app.models.idempotency import OnceQuerySet
from backups_app.states import State
from backups_app.tokens import make_token
from tests.support.service import KEY, finished_job, make_job

pytestmark = pytest.mark.django_db
TRIGGER, JOBS = "/api/backup/trigger", "/api/backup/jobs"


def post(client, path=TRIGGER, body=None, key="one", **headers):
    headers["Idempotency-Key"] = key
    return client.post(path, body or {}, content_type="application/json", headers=headers)


def end_all():
    Job.objects.update(state=State.SUCCEEDED, finished_at=timezone.now())


def test_a_repeat_starts_nothing_and_is_answered_as_the_first(api, service):
    first = post(api)
    end_all()
    second = post(api)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert Job.objects.count() == 1
    assert [e.outcome for e in AuditEntry.objects.order_by("number")] == ["done", "repeated"]


def test_another_key_and_another_caller_start_anew(api, service):
    post(api)
    end_all()
    assert post(api, key="two").json()["jobId"]
    end_all()
    _, text = make_token(name="x", role="operator")
    assert post(Client(headers={"Authorization": f"Bearer {text}"})).status_code == 202
    assert Job.objects.count() == 3


def test_row_84_a_key_with_another_request_is_refused(api, service):
    post(api)
    for path, body in ((f"{TRIGGER}?wait=0", {}), ("/api/backup/undo", {}), (TRIGGER, {"a": 1})):
        answer = post(api, path, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_while_the_first_is_at_work_the_second_waits(api, service):
    post(api)
    Once.objects.update(status=None)
    answer = post(api)
    assert (answer.status_code, answer.json()["code"]) == (409, "IDEMPOTENCY_KEY_IN_USE")
    Once.objects.update(created_at=timezone.now() - timedelta(hours=2))
    end_all()
    assert post(api).status_code == 202


def test_a_key_whose_first_request_was_refused_meanwhile_is_new(api, service, monkeypatch):
    """The insert met its row, and the look for that row comes when it is gone."""
    create, met = OnceQuerySet.create, []

    def meets_another(rows, **fields):
        if met:
            return create(rows, **fields)
        met.append(1)
        raise IntegrityError

    monkeypatch.setattr(OnceQuerySet, "create", meets_another)
    assert post(api).status_code == 202


def test_after_a_refusal_the_same_key_tries_again(api, service):
    in_the_way = make_job()
    assert post(api).status_code == 409
    in_the_way.cancel()
    assert post(api).status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 201, "é", "a\tb"])
def test_row_84_odd_keys_are_named(api, service, key):
    answer = post(api, key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert not Job.objects.exists()


def test_the_secret_of_a_new_token_is_not_kept(api, service):
    body = {"name": "x", "role": "viewer"}
    first = post(api, "/api/backup/tokens", body)
    assert first.status_code == 201
    assert post(api, "/api/backup/tokens", body).json()["token"] != first.json()["token"]
    assert (ApiToken.objects.count(), Once.objects.count()) == (2, 0)


def test_a_list_that_is_the_same_is_not_sent_again(api, service):
    finished_job()
    first = api.get(JOBS)
    again = api.get(JOBS, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    finished_job()
    changed = api.get(JOBS, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_jobs_are_chosen_and_ordered(api, service):
    old = finished_job(State.FAILED)
    Job.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=3))
    new, check = finished_job(), finished_job(kind="verify", backup_key=KEY)
    yesterday = (timezone.now() - timedelta(days=1)).isoformat()
    for query, found in (
        ({"state": "FAILED"}, [old]),
        ({"kind": "verify"}, [check]),
        ({"kind": "backup", "since": yesterday}, [new]),
        ({"until": yesterday}, [old]),
        ({"order": "oldest"}, [old, new, check]),
        ({"order": "oldest", "offset": 1, "limit": 1}, [new]),
        ({"trigger": "schedule"}, []),
    ):
        told = api.get(JOBS, query).json()
        assert [uuid.UUID(job["id"]) for job in told["jobs"]] == [job.pk for job in found], query
    assert told["count"] == 0


@pytest.mark.parametrize("query", ["kind=x", "state=ok", "since=yesterday", "order=up"])
def test_an_odd_choice_is_named(api, service, query):
    answer = api.get(f"{JOBS}?{query}")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(query.partition("=")[0])


@pytest.mark.parametrize("path", ["restore", "verify", "drill", "undo"])
def test_an_odd_wait_is_named_before_anything_is_queued(api, service, path):
    body = {"backupKey": KEY}
    answer = api.post(f"/api/backup/{path}?wait=x", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert answer.json()["message"].startswith("wait: ")
