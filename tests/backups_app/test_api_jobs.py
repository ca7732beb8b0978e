"""GET /api/backup/jobs, GET /api/backup/jobs/ID, POST /api/backup/jobs/ID/cancel"""

import uuid

import pytest

from backups_app.states import State
from tests.support.service import KEY, claimed_job, finished_job, make_job

pytestmark = pytest.mark.django_db
URL = "/api/backup/jobs"


def test_the_history_is_newest_first(api, service):
    jobs = [finished_job(), finished_job(State.FAILED), make_job()]
    body = api.get(URL).json()
    assert body["count"] == 3
    assert [job["id"] for job in body["jobs"]] == [str(job.pk) for job in reversed(jobs)]


def test_the_history_comes_in_pages(api, service):
    jobs = [finished_job() for _ in range(5)]
    body = api.get(f"{URL}?limit=2&offset=1").json()
    assert body["count"] == 5
    assert [job["id"] for job in body["jobs"]] == [str(jobs[3].pk), str(jobs[2].pk)]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "offset=-1"])
def test_odd_pages_are_refused(api, service, query):
    answer = api.get(f"{URL}?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "INVALID_REQUEST"


def test_one_job_tells_all_about_itself(api, service):
    job = finished_job(
        State.FAILED,
        backup_key=KEY,
        warnings=[{"code": "FILE_VANISHED", "path": "a", "message": "gone"}],
        warning_count=1,
        phases=[{"name": "scanning", "startedAt": "2025-08-29T05:00:00Z", "seconds": 1.5}],
        phase="scanning",
        error_code="SOURCE_MISSING",
        error_message="There is no data folder",
        error_hint="Set BACKUP_DATA_DIR.",
    )
    body = api.get(f"{URL}/{job.pk}").json()
    assert list(body) == [
        "id", "plan", "host", "kind", "trigger", "requestedBy", "state", "slot", "attempt",
        "retryOf", "notBefore", "revision", "createdAt", "startedAt", "finishedAt", "phase",
        "phases", "progress", "warnings", "warningCount", "error", "waits", "backupKey", "paths",
        "entries", "target", "mode", "cancelRequested", "result",
    ]  # fmt: skip
    assert body["error"] == {
        "code": "SOURCE_MISSING",
        "message": "There is no data folder",
        "hint": "Set BACKUP_DATA_DIR.",
    }
    assert body["warnings"] == [{"code": "FILE_VANISHED", "path": "a", "message": "gone"}]
    assert body["phases"][0]["seconds"] == 1.5
    assert body["progress"]["percent"] is None


def test_a_finished_job_is_at_100_percent_and_carries_its_result(api, service):
    job = finished_job(result={"size": 5}, backup_key=KEY)
    body = api.get(f"{URL}/{job.pk}").json()
    assert (body["progress"]["percent"], body["progress"]["secondsLeft"]) == (100.0, None)
    assert (body["result"], body["error"], body["backupKey"]) == ({"size": 5}, None, KEY)


@pytest.mark.parametrize("path", [uuid.UUID(int=1), "nonsense", "../status"])
def test_an_unknown_job_is_not_found(api, service, path):
    answer = api.get(f"{URL}/{path}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "NOT_FOUND"


def test_a_waiting_job_is_cancelled(api, service):
    job = make_job()
    answer = api.post(f"{URL}/{job.pk}/cancel")
    assert answer.status_code == 202
    assert answer.json()["message"] == "Job cancelled"
    assert answer.json()["job"]["state"] == "CANCELLED"


def test_a_running_job_is_stopping(api, service):
    job = claimed_job()
    answer = api.post(f"{URL}/{job.pk}/cancel")
    assert answer.status_code == 202
    assert answer.json()["message"] == "Job stopping"
    assert answer.json()["job"]["cancelRequested"] is True


@pytest.mark.row(27)
def test_what_has_ended_or_is_past_stopping_is_refused(api, service):
    committed = claimed_job()
    committed.commit("swap")
    for job in (finished_job(), committed):
        answer = api.post(f"{URL}/{job.pk}/cancel")
        assert answer.status_code == 409
        assert answer.json()["code"] == "TOO_LATE_TO_CANCEL"


def test_an_unknown_job_cannot_be_cancelled(api, service):
    assert api.post(f"{URL}/{uuid.UUID(int=1)}/cancel").status_code == 404


def test_a_run_tells_since_when_instances_stand_still(api, service):
    stopped = {"effect": "instances", "driver": "docker", "ids": ["one", "two"]}
    effects = [stopped | {"at": "2025-08-29T05:00:07+00:00"}]
    started = [
        {"effect": "instances_started", "driver": "docker", "ids": [one]} for one in ("two", "one")
    ]
    told = []
    for number in range(3):
        job = claimed_job(effects=[*effects, *started[:number]])
        told.append(api.get(f"{URL}/{job.pk}").json()["progress"]["stoppedSince"])
        job.finish(State.SUCCEEDED)
    assert told == ["2025-08-29T05:00:07+00:00", "2025-08-29T05:00:07+00:00", None]
    assert api.get(f"{URL}/{job.pk}").json()["progress"]["stoppedSince"] is None
