"""The doctor for the whole service: `manage.py doctor`, POST and GET /api/backup/doctor."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from backups_app import doctor, doctoring
from backups_app.models import DoctorReport, Kind, Part, PartSeen, Plan
from backups_app.states import State
from tests.support.celeryworker import ROOT, environment
from tests.support.service import KEY, finished_job

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/backup/doctor"


def found(config):
    report = doctor.examine(config, now=timezone.now())
    return {one.about: one for one in report.findings}, report.exit_code


def test_a_whole_service_that_has_proven_its_backups_is_well(service_on_s3, settings):
    for part in Part:
        PartSeen.objects.mark(f"{part}@here", part)
    finished_job(backup_key=KEY)
    for kind in (Kind.VERIFY, Kind.DRILL):
        finished_job(kind=kind, backup_key=KEY)
    told, code = found(replace(service_on_s3, enabled=True))
    assert [one for one in told.values() if one.level == "bad"] == []
    assert code == 0
    parts = {part.value for part in Part}
    assert parts | {"database", "redis", "provider", "last drill"} <= told.keys()
    assert "in America/Sao_Paulo: next at" in told["schedule"].text
    assert told["provider"].text.startswith("SeaweedFS; BACKUP_S3_SSE=AES256 needs")


def test_what_is_wrong_with_the_service_is_named_with_what_to_do(service):
    lost = replace(service, redis_url="redis://:hunter2@127.0.0.1:9/0")
    finished_job(State.FAILED, error_code="X", error_message="It broke", error_hint="Mend it.")
    told, code = found(lost)
    bad = {about for about, one in told.items() if one.level == "bad"}
    assert bad == {"bucket", "redis", "worker", "control", "beat", "last backup"}
    assert told["last backup"].hint == "Mend it."
    assert code == 4  # of the bucket, which comes first
    assert "hunter2" not in repr(told)


def test_the_command_line_answers_as_json_with_an_exit_code(service_on_s3, redis_url):
    env = environment(service_on_s3, redis_url=redis_url)
    command = [sys.executable, "manage.py", "doctor", "--json"]
    ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    report = json.loads(ran.stdout)
    (first, *_) = [one for one in report["findings"] if one["level"] == "bad"]
    assert (ran.returncode, report["ok"], first["about"]) == (1, False, "worker")


def test_a_visit_is_made_by_a_worker_and_read_over_the_api(
    api, service_on_s3, redis_url, monkeypatch
):
    for name, value in environment(service_on_s3, redis_url=redis_url).items():
        monkeypatch.setenv(name, value)
    assert api.get(URL).json()["state"] == "none"
    assert api.post(URL).json()["state"] == "waiting"
    visit = doctoring.take_up("default")
    assert api.get(URL).json()["state"] == "running"
    assert doctoring.take_up("default") is None
    visit.join()
    body = api.get(URL).json()
    assert (body["state"], body["ok"]) == ("done", False)
    assert "ok" in {one["level"] for one in body["findings"] if one["about"] == "bucket"}


def test_one_visit_a_minute_is_enough(api, service):
    first = api.post(URL).json()
    assert api.post(URL).json()["askedAt"] == first["askedAt"]
    DoctorReport.objects.update(done_at=timezone.now())
    assert api.post(URL).json()["state"] == "done"
    DoctorReport.objects.update(done_at=timezone.now() - timedelta(minutes=2))
    assert api.post(URL).json()["state"] == "waiting"


def test_a_visit_that_nobody_ended_is_lost_and_can_be_asked_for_again(api, service):
    api.post(URL)
    DoctorReport.objects.update(asked_at=timezone.now() - timedelta(minutes=9))
    assert api.get(URL).json()["state"] == "lost"
    assert doctoring.take_up("default") is None
    assert api.post(URL).json()["state"] == "waiting"


def test_of_a_further_machine_its_own_parts_are_looked_at(service, settings):
    PartSeen.objects.mark("backup@there", Part.WORKER, host="web2")
    there = replace(service, host="web2", plan=replace(service.plan, plan="shop", host="web2"))
    found = {one.about: one.level for one in doctor.examine(there, now=timezone.now()).findings}
    assert (found["worker@web2"], found["control@web2"]) == ("ok", "bad")


@pytest.mark.parametrize(
    ("plan", "host", "complaint"),
    [
        ("shop", "main", "lies on the machine web2"),
        ("default", "web2", "belongs to main"),
        ("nothing", "main", "There is no plan"),
    ],
)
def test_it_judges_no_folder_of_another_machine(service, settings, plan, host, complaint):
    Plan(name="shop", host="web2", data_dir="/srv/shop").save()
    settings.TARKEEP = replace(service, host=host)
    with pytest.raises(CommandError, match=complaint):
        call_command("doctor", plan=plan)
