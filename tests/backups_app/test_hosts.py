"""Several machines: who goes by which name, who is missed, whose news is whose."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from backups_app import hosts, telling, waiting, watcher
from backups_app.alerts import alerts
from backups_app.models import Host, Notice, OpenAlert, Part, PartSeen
from backups_app.models.host import HostQuerySet
from backups_app.models.plan import Plan
from backups_app.states import State
from tests.support.service import claimed_job, finished_job, make_job
from worker.engine.notify.variables import NotifyConfig

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture
def media(service):
    return Plan.objects.create(
        name="media", host="web2", data_dir="/srv/media", prefix="media/", backup_name="m",
        timezone="UTC",
    )  # fmt: skip


def seen(part, host="main", *, machine="", ago=timedelta()):
    now = timezone.now()
    PartSeen.objects.create(
        name=f"{part}@{host}-{machine}", part=part, host=host, machine=machine,
        seen_at=now - ago, since=now - HOUR,
    )  # fmt: skip


def found(service, code):
    return [one.subject for one in alerts(service, timezone.now()) if one.code == code]


def test_the_first_machine_of_a_name_keeps_it_while_it_lives():
    assert Host.objects.hold("main", "a" * 32)
    seen(Part.WORKER, machine="a" * 32)
    assert not Host.objects.hold("main", "b" * 32)
    assert Host.objects.hold("main", "a" * 32)
    assert Host.objects.hold("web2", "b" * 32)


@pytest.mark.parametrize(("faster", "holds"), [("a", True), ("b", False)])
def test_of_two_who_ask_at_once_both_hold_it_if_they_are_one_machine(monkeypatch, faster, holds):
    answers = iter([False, False])

    def exists(self):
        if (answer := next(answers, None)) is None:
            return self.count() > 0
        Host.objects.get_or_create(name="main", defaults={"machine": faster * 32})
        return answer  # it was asked a moment earlier

    monkeypatch.setattr(HostQuerySet, "exists", exists)
    assert Host.objects.hold("main", "a" * 32) is holds


@pytest.mark.parametrize("end", ["stopped", "silent"])
def test_when_it_is_gone_the_next_machine_has_the_name(end):
    Host.objects.hold("main", "a" * 32)
    seen(Part.WORKER, machine="a" * 32, ago=HOUR if end == "silent" else timedelta())
    if end == "stopped":
        PartSeen.objects.update(stopped=True)
    assert Host.objects.hold("main", "b" * 32)
    assert Host.objects.get().machine == "b" * 32


def test_a_second_machine_of_the_name_is_an_alert_that_names_the_remedy(service, caplog):
    Host.objects.hold("main", "a" * 32)
    seen(Part.WORKER, machine="a" * 32)
    seen(Part.CONTROL, machine="b" * 32)
    assert found(service, "OTHER_HOST") == [f"control@main-{'b' * 32}"]
    assert not hosts.holds(service)
    assert "OTHER_HOST" in caplog.text
    assert "BACKUP_HOST" in caplog.text


def test_processes_of_one_machine_are_no_two_machines(service):
    for name, part in (("one", Part.WORKER), ("two", Part.WORKER), ("three", Part.CONTROL)):
        hosts.mark(service, name, [part])
        assert hosts.holds(service)
    assert found(service, "OTHER_HOST") == []


def test_a_machine_with_plans_is_missed_like_a_part(service, media):
    for part in Part:
        seen(part)
    assert found(service, "PART_MISSING") == ["worker@web2", "control@web2"]
    seen(Part.WORKER, "web2")
    assert found(service, "PART_MISSING") == ["control@web2"]


def test_another_machines_worker_stands_in_for_nobody(service, media):
    for part in (Part.WEB, Part.BEAT, Part.CONTROL):
        seen(part)
    for part in (Part.WORKER, Part.CONTROL):
        seen(part, "web2")
    assert found(service, "PART_MISSING") == ["worker"]


def test_a_job_whose_worker_is_away_says_so(service, media):
    job = make_job(plan="media", host="web2")
    assert waiting.why_waits(job).code == "WORKER_AWAY"
    assert "web2" in waiting.why_waits(job).message
    seen(Part.WORKER, "web2")
    assert waiting.why_waits(job) is None


def test_a_job_that_waits_for_its_turn_says_so(service, settings):
    settings.TARKEEP = replace(service, max_running=1)
    seen(Part.WORKER)
    claimed_job(plan="other")
    assert waiting.why_waits(make_job()).code == "LIMIT_REACHED"


def test_what_other_plans_do_is_told_with_their_names(service, settings, media):
    urls = NotifyConfig(urls=("jsons://nowhere.example/",), heartbeat_url="https://beat.example/1")
    settings.TARKEEP = replace(service, notify=urls)
    finished_job(State.FAILED, plan="media", host="web2", error_code="ANY")
    finished_job(State.FAILED, error_code="ANY")
    watcher._tell_jobs()
    told = set(Notice.objects.exclude(about="heartbeat").values_list("title", flat=True))
    assert told >= {"Tarkeep: backup failed", "Tarkeep, plan media: backup failed"}
    assert {one.title for one in Notice.objects.all()} - told <= {"start", "fail"}
    assert Notice.objects.filter(title="fail").count() == 1


def test_alerts_of_the_service_are_told_once_whatever_plans_there_are(service, media):
    seen(Part.WEB)
    watcher.beat("web@here", [], lambda: None)
    rows = OpenAlert.objects.filter(code="PART_MISSING")
    assert set(rows.values_list("plan", flat=True)) == {"default"}


def test_another_machine_tells_nobody_anything(service, settings, media):
    settings.TARKEEP = replace(service, host="web2")
    finished_job(State.FAILED, error_code="ANY")
    watcher.beat("worker@web2", [Part.WORKER], lambda: None)
    watcher.post()
    assert not OpenAlert.objects.exists()
    assert PartSeen.objects.get().host == "web2"
    assert finished_job().told == telling.Told.NOTHING
