"""GET /api/backup/status"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from backups_app.models import BucketSummary, Kind, WorkerSeen
from backups_app.states import State
from tests.support.service import KEY, claimed_job, finished_job
from worker.engine.settings import Problem

pytestmark = pytest.mark.django_db
URL = "/api/backup/status"


def test_a_fresh_service_says_what_it_is_set_to(api, service):
    body = api.get(URL).json()
    assert body == {
        "enabled": False,
        "schedule": "0 2 * * *",
        "timezone": "America/Sao_Paulo",
        "nextRun": None,
        "lastBackup": None,
        "lastSuccess": None,
        "inProgress": False,
        "currentJob": None,
        "s3Bucket": "nowhere",
        "maxBackups": 3,
        "stopInstancesBeforeBackup": False,
        "encrypted": False,
        "dataDir": str(service.plan.data_dir),
        "storageLocal": False,
        "workersAlive": 0,
        "counts": {"backups": None, "jobs": 0, "succeeded": 0, "failed": 0},
        "sizes": {"latest": None, "total": None},
        "problems": [],
        "version": body["version"],
    }
    assert body["version"]


def test_the_next_run_follows_the_schedule_in_its_time_zone(api, service, settings):
    settings.TARKEEP = replace(service, enabled=True)
    following = datetime.fromisoformat(api.get(URL).json()["nextRun"])
    assert (following.astimezone(UTC).hour, following.minute) == (5, 0)
    assert timedelta() < following - timezone.now() <= timedelta(days=1)


def test_the_running_job_is_shown_with_its_progress(api, service):
    job = claimed_job()
    job.report(phase="archiving", bytes_done=30, bytes_total=120, bytes_per_second=9)
    body = api.get(URL).json()
    assert body["inProgress"] is True
    assert body["currentJob"]["id"] == str(job.pk)
    assert body["currentJob"]["phase"] == "archiving"
    assert body["currentJob"]["progress"] == {
        "filesDone": 0,
        "filesTotal": 0,
        "bytesDone": 30,
        "bytesTotal": 120,
        "bytesSent": 0,
        "bytesPerSecond": 9,
        "percent": 25.0,
        "secondsLeft": 10,
    }


def test_last_backup_is_the_latest_and_last_success_the_latest_that_went_well(api, service):
    good = finished_job(backup_key=KEY)
    bad = finished_job(State.FAILED, error_code="STORAGE_UNREACHABLE")
    finished_job(kind=Kind.RESTORE)
    body = api.get(URL).json()
    assert body["lastBackup"]["id"] == str(bad.pk)
    assert datetime.fromisoformat(body["lastSuccess"]) == good.finished_at
    assert body["counts"] == {"backups": None, "jobs": 3, "succeeded": 2, "failed": 1}


def test_workers_alive_are_those_that_run_jobs_and_were_seen_just_now(api, service):
    WorkerSeen.objects.mark("jobs@here", runs_jobs=True)
    WorkerSeen.objects.mark("control@here", runs_jobs=False)
    WorkerSeen.objects.create(
        name="gone@here", runs_jobs=True, seen_at=timezone.now() - timedelta(minutes=2)
    )
    assert api.get(URL).json()["workersAlive"] == 1


def test_counts_and_sizes_come_from_the_last_look_into_the_bucket(api, service):
    BucketSummary.objects.create(plan="default", backups=2, total_bytes=30, latest_bytes=10)
    body = api.get(URL).json()
    assert body["counts"]["backups"] == 2
    assert body["sizes"] == {"latest": 10, "total": 30}


def test_wrong_settings_are_all_named(api, service, settings):
    problems = (Problem("A", "A is wrong", "Mend A."), Problem("B", "B is wrong", "Mend B."))
    settings.TARKEEP = replace(service, problems=problems)
    assert api.get(URL).json()["problems"] == [
        {"variable": "A", "message": "A is wrong", "hint": "Mend A."},
        {"variable": "B", "message": "B is wrong", "hint": "Mend B."},
    ]
