"""GET /api/backup/status"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from backups_app.models import BucketSummary, Kind, Part, PartSeen
from backups_app.states import State
from tests.support.service import KEY, claimed_job, finished_job
from worker.engine.metadata import Metadata, dump
from worker.engine.naming import archive_key, metadata_key
from worker.engine.settings import Problem
from worker.engine.storage.s3 import open_storage
from worker.engine.swap import about
from worker.engine.swap.about import About
from worker.engine.swap.site import look

pytestmark = pytest.mark.django_db
URL = "/api/backup/status"


def test_a_fresh_service_says_what_it_is_set_to(api, service):
    body = api.get(URL).json()
    assert body == {
        "plan": "default",
        "host": "main",
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
        "instancesDown": [],
        "lastVerified": None,
        "lastProven": None,
        "verifySchedule": "30 4 * * 0",
        "drillSchedule": "",
        "verdict": body["verdict"],
        "alerts": [],
        "paused": None,
        "nextRuns": [],
        "parts": [
            {"part": part, "alive": 0, "seenAt": None}
            for part in ("web", "worker", "control", "beat")
        ],
        "safetyCopies": [],
        "problems": [],
        "version": body["version"],
    }
    assert body["version"]
    assert (body["verdict"]["level"], body["verdict"]["newest"]) == ("unknown", None)
    codes = [reason["code"] for reason in body["verdict"]["reasons"]]
    assert codes == ["NOT_LOOKED", "NO_WORKER", "SCHEDULE_OFF"]


def test_the_next_run_follows_the_schedule_in_its_time_zone(api, service, settings):
    settings.TARKEEP = replace(service, enabled=True)
    following = datetime.fromisoformat(api.get(URL).json()["nextRun"])
    assert (following.astimezone(UTC).hour, following.minute) == (5, 0)
    assert timedelta() < following - timezone.now() <= timedelta(days=1)


def test_the_next_five_runs_are_shown(api, service, settings):
    settings.TARKEEP = replace(service, enabled=True)
    body = api.get(URL).json()
    assert len(body["nextRuns"]) == 5
    assert body["nextRuns"][0] == body["nextRun"]
    assert body["nextRuns"] == sorted(set(body["nextRuns"]))


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
        "stoppedSince": None,
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
    PartSeen.objects.mark("jobs@here", Part.WORKER)
    PartSeen.objects.mark("control@here", Part.CONTROL)
    ago = timezone.now() - timedelta(minutes=2)
    PartSeen.objects.create(name="gone@here", part=Part.WORKER, since=ago, seen_at=ago)
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


def test_an_instance_that_a_run_left_stopped_is_named_until_it_runs(api, service):
    told = [
        {"effect": "instances", "driver": "docker", "ids": ["one", "two", "three"]},
        {"effect": "instances_started", "driver": "docker", "ids": ["one"]},
        {"effect": "instances_failed", "driver": "docker", "ids": ["two"], "message": "no room"},
    ]
    job = finished_job(effects=told, instances_down=True)
    finished_job(effects=told, instances_down=True)
    finished_job(State.FAILED, effects=told[:2] + told[:1])
    down = api.get(URL).json()["instancesDown"]
    assert [(one["name"], one["message"]) for one in down] == [
        ("docker two", "no room"),
        ("docker three", ""),
    ]
    assert {one["jobId"] for one in down} == {str(job.pk)}
    assert datetime.fromisoformat(down[0]["since"]) == job.finished_at


def test_safety_copies_are_listed_with_the_backup_that_came_instead(api, service):
    parent = service.plan.data_dir.parent
    known = parent / "data.before-restore-2025-08-29T05-00-00-000Z"
    unknown = parent / "data.before-restore-2025-08-30T05-00-00-000Z"
    known.mkdir()
    unknown.mkdir()
    about.write(look(service.plan.data_dir).about(known.name), About(0, files=3, bytes=40))
    finished_job(kind=Kind.RESTORE, backup_key=KEY, result={"safetyCopy": str(known)})
    assert api.get(URL).json()["safetyCopies"] == [
        {
            "name": unknown.name,
            "path": str(unknown),
            "time": "2025-08-30T05:00:00Z",
            "replacedBy": None,
            "partial": False,
            "size": None,
        },
        {
            "name": known.name,
            "path": str(known),
            "time": "2025-08-29T05:00:00Z",
            "replacedBy": KEY,
            "partial": False,
            "size": 40,
        },
    ]


def test_verifications_and_drills_that_went_well_are_told(api, service):
    finished_job(kind=Kind.VERIFY, backup_key=KEY, result={"files": 3, "bytes": 40})
    drill = finished_job(kind=Kind.DRILL, backup_key=KEY, result={"files": 3, "bytes": 40})
    finished_job(State.FAILED, kind=Kind.DRILL, error_code="DRILL_COMMAND_FAILED", backup_key=KEY)
    body = api.get(URL).json()
    assert body["lastVerified"]["backupKey"] == KEY
    assert datetime.fromisoformat(body["lastProven"].pop("at")) == drill.finished_at
    assert body["lastProven"].pop("seconds") >= 0
    assert body["lastProven"] == {"backupKey": KEY, "bytes": 40, "files": 3}
    assert body["alerts"] == []


def damage_of(key):
    told = {"error_code": "ARCHIVE_DAMAGED", "error_message": "A frame is damaged"}
    return finished_job(State.FAILED, kind=Kind.VERIFY, backup_key=key, **told)


def damage(kind=Kind.VERIFY):
    told = {"error_code": "ARCHIVE_DAMAGED", "error_message": "A frame is damaged"}
    return finished_job(State.FAILED, kind=kind, backup_key=KEY, error_hint="Do this", **told)


@pytest.mark.parametrize("kind", [Kind.VERIFY, Kind.DRILL, Kind.RESTORE])
def test_a_damaged_backup_raises_an_alert_and_is_no_success(api, service, kind):
    finished_job(backup_key=KEY)
    damage(kind)
    body = api.get(URL).json()
    assert body["alerts"] == [
        {
            "code": "BACKUP_DAMAGED",
            "message": f"Backup {KEY.rpartition('/')[2]} is damaged: A frame is damaged",
            "hint": "Do this",
            "backupKey": KEY,
            "subject": "",
            "at": None,
        }
    ]
    assert body["lastSuccess"] is None


def test_the_alert_ends_when_a_later_check_goes_well_or_the_backup_is_gone(api, service):
    damage()
    finished_job(kind=Kind.VERIFY, backup_key=KEY)
    assert api.get(URL).json()["alerts"] == []
    damage()
    assert api.get(URL).json()["alerts"]
    BucketSummary.objects.create(
        plan="default", backups=0, total_bytes=0, latest_bytes=0, gone=[KEY]
    )
    assert api.get(URL).json()["alerts"] == []


def test_a_bucket_that_cannot_be_read_is_not_taken_for_an_empty_one(api, service):
    assert api.get("/api/backup/list").status_code == 503
    first = api.get(URL).json()["verdict"]
    assert (first["level"], first["reasons"][0]["code"]) == ("unknown", "BUCKET_UNREADABLE")
    assert first["reasons"][0]["subject"] == "STORAGE_UNREACHABLE"
    api.get("/api/backup/list")
    again = api.get(URL).json()["verdict"]["reasons"][0]
    assert again["at"] == first["reasons"][0]["at"]


def test_the_verdict_goes_by_what_lies_in_the_bucket(api, service_on_s3):
    api.get("/api/backup/list")
    assert api.get(URL).json()["verdict"]["reasons"][0]["code"] == "NO_BACKUP"
    storage, at = open_storage(service_on_s3.storage), timezone.now() - timedelta(hours=1)
    key, foreign = (archive_key(service_on_s3.plan, at - timedelta(hours=n)) for n in (1, 0))
    made = Metadata(at.isoformat(), 7, "sha256:" + "0" * 64, True, False, "1")
    storage.put(key, b"archive")
    storage.put(metadata_key(key), dump(made))
    storage.put(foreign, b"put here by hand")
    storage.put(metadata_key(foreign), b"no JSON")
    api.get("/api/backup/list")
    found = datetime.fromisoformat(api.get(URL).json()["verdict"]["newest"])
    assert timedelta(hours=2) <= timezone.now() - found < timedelta(hours=3)
    damage_of(key)
    assert api.get(URL).json()["verdict"]["newest"] is None


def test_files_that_the_newest_backup_left_out_are_a_reason(api, service):
    finished_job(backup_key=KEY, warning_count=102, trouble_count=101)
    (reason,) = [
        one for one in api.get(URL).json()["verdict"]["reasons"] if one["code"] == "FILES_LEFT_OUT"
    ]
    assert reason["subject"] == "101"
