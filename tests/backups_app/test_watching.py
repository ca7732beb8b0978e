"""Who is missing and what is overdue is known by whichever part still lives."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from celery import Celery
from django.utils import timezone

from backups_app import telling, watcher
from backups_app.alerts import alerts, parts
from backups_app.lifespan import lifespan
from backups_app.models import (
    Job,
    Notice,
    NoticeState,
    OpenAlert,
    Part,
    PartSeen,
    ScheduleClock,
)
from backups_app.states import State
from tests.support.service import claimed_job, expire, finished_job
from worker import heartbeat, periodic, ticking
from worker.engine.notify.variables import NotifyConfig

pytestmark = pytest.mark.django_db(transaction=True)
SLOT = datetime(2025, 8, 29, 5, 0, tzinfo=UTC)  # two at night in São Paulo
HOUR = timedelta(hours=1)
ALL = NotifyConfig(urls=("jsons://nowhere.example/",))


@pytest.fixture
def watched(service, settings):
    settings.TARKEEP = replace(service, notify=ALL)
    return settings.TARKEEP


@pytest.fixture
def scheduled(watched, settings):
    begun = SLOT - 2 * HOUR
    clock = {"line": watched.schedule, "zone": watched.timezone, "until": begun, "since": begun}
    ScheduleClock.objects.create(plan="default", kind="backup", **clock)
    settings.TARKEEP = replace(watched, enabled=True)
    return settings.TARKEEP


def seen(part, *, ago=timedelta(), since=timedelta(hours=1)):
    now = timezone.now()
    PartSeen.objects.create(
        name=f"{part}@here", part=part, seen_at=now - ago, since=now - max(since, ago)
    )


def missing(config):
    found = alerts(config, timezone.now())
    return [one.subject for one in found if one.code == "PART_MISSING"]


def codes(config, now):
    return [one.code for one in alerts(config, now)]


@pytest.mark.parametrize("survivor", list(Part))
def test_each_part_alone_notices_that_all_others_are_gone(watched, survivor):
    for part in Part:
        seen(part, ago=timedelta() if part == survivor else timedelta(minutes=5))
    assert missing(watched) == [part.value for part in Part if part != survivor]


def test_a_restart_is_no_alarm(watched):
    for part in Part:
        seen(part, ago=timedelta(seconds=60 if part == Part.WORKER else 0))
    assert missing(watched) == []
    assert [state.alive for state in parts()] == [1, 0, 1, 1]


def test_while_the_service_comes_up_nobody_is_missed(watched):
    seen(Part.WEB, since=timedelta(seconds=5))
    assert missing(watched) == []


def test_a_part_that_was_never_started_is_missed(watched):
    seen(Part.WEB)
    assert missing(watched) == ["worker", "control", "beat"]


def test_an_instance_that_stays_stopped_is_told_until_it_runs(watched):
    stopped = {"effect": "instances", "driver": "docker", "ids": ["one", "two"]}
    failed = {"effect": "instances_failed", "driver": "docker", "ids": ["two"], "message": "no"}
    job = finished_job(effects=[stopped, failed], instances_down=True)
    telling.tell_alerts(watched, timezone.now())
    told = {one.subject: one.message for one in alerts(watched, timezone.now())}
    assert set(told) == {"docker one", "docker two"}
    assert "does not run again: no" in told["docker two"]
    Job.objects.filter(pk=job.pk).update(instances_down=False)
    telling.tell_alerts(watched, timezone.now())
    events = list(Notice.objects.order_by("pk").values_list("event", flat=True))
    assert events == ["failure", "failure", "recovered", "recovered"]


def test_a_backup_is_overdue_when_its_slot_and_the_grace_have_passed(scheduled):
    assert "OVERDUE" not in codes(scheduled, SLOT + 2 * HOUR - timedelta(seconds=1))
    assert "OVERDUE" in codes(scheduled, SLOT + 2 * HOUR)


def test_failed_runs_do_not_count_successful_ones_do(scheduled):
    failed = finished_job(State.FAILED)
    Job.objects.filter(pk=failed.pk).update(started_at=SLOT)
    assert "OVERDUE" in codes(scheduled, SLOT + 3 * HOUR)
    good = finished_job()
    Job.objects.filter(pk=good.pk).update(started_at=SLOT)
    assert "OVERDUE" not in codes(scheduled, SLOT + 3 * HOUR)
    assert "OVERDUE" in codes(scheduled, SLOT + timedelta(days=1, hours=3))


def test_a_backup_that_runs_long_is_not_overdue(scheduled):
    claimed_job()
    assert "OVERDUE" not in codes(scheduled, SLOT + 9 * HOUR)


def test_a_run_whose_worker_is_gone_hides_nothing(scheduled):
    expire(claimed_job())
    assert "OVERDUE" in codes(scheduled, SLOT + 9 * HOUR)


def test_times_that_a_wrong_clock_wrote_hide_nothing(scheduled):
    ScheduleClock.objects.update(until=SLOT + timedelta(days=400))
    good = finished_job()
    Job.objects.filter(pk=good.pk).update(started_at=SLOT + timedelta(days=300))
    assert "OVERDUE" in codes(scheduled, SLOT + 3 * HOUR)


def test_a_schedule_that_is_off_is_never_overdue(scheduled):
    assert "OVERDUE" not in codes(replace(scheduled, enabled=False), SLOT + 9 * HOUR)


def test_an_alert_is_told_once_however_many_parts_see_it_and_its_end_once(scheduled):
    for _ in range(3):
        telling.tell_alerts(scheduled, SLOT + 3 * HOUR)
    assert list(Notice.objects.values_list("event", flat=True)) == ["overdue"]
    assert OpenAlert.objects.get().code == "OVERDUE"
    Notice.objects.update(state=NoticeState.SENT)
    good = finished_job()
    Job.objects.filter(pk=good.pk).update(started_at=SLOT)
    for _ in range(3):
        telling.tell_alerts(scheduled, SLOT + 3 * HOUR)
    assert list(Notice.objects.values_list("event", flat=True)) == ["overdue", "recovered"]
    assert not OpenAlert.objects.exists()


def test_an_alert_that_comes_goes_and_comes_back_is_told_each_time(watched):
    seen(Part.WEB)
    seen(Part.CONTROL)
    seen(Part.BEAT)
    told = []
    for worker_lives in (False, True, False):
        PartSeen.objects.filter(part=Part.WORKER).delete()
        if worker_lives:
            seen(Part.WORKER)
        telling.tell_alerts(watched, timezone.now())
        sent = Notice.objects.filter(state=NoticeState.WAITING)
        told += sent.values_list("event", flat=True)
        sent.update(state=NoticeState.SENT, sent_at=timezone.now())
    assert told == ["failure", "recovered", "failure"]


def test_an_alert_that_stays_is_told_again_each_day(scheduled):
    telling.tell_alerts(scheduled, SLOT + 3 * HOUR)
    Notice.objects.update(state=NoticeState.SENT, created_at=timezone.now() - timedelta(days=2))
    telling.tell_alerts(scheduled, SLOT + 4 * HOUR)
    assert Notice.objects.count() == 1
    OpenAlert.objects.update(told_at=timezone.now() - timedelta(hours=25))
    for _ in range(2):
        telling.tell_alerts(scheduled, SLOT + 28 * HOUR)
    assert Notice.objects.count() == 2
    assert Notice.objects.last().title.startswith("Tarkeep: still: No backup has succeeded")


def test_the_pulse_of_any_part_opens_the_alert(watched):
    seen(Part.BEAT, ago=timedelta(minutes=5))
    seen(Part.WEB)
    watcher.beat("web@here", [Part.WEB], lambda: None)
    told = OpenAlert.objects.filter(code="PART_MISSING").values_list("subject", flat=True)
    assert set(told) == {"worker", "control", "beat"}


def test_a_pulse_that_breaks_is_not_the_last_one(watched):
    def broken():
        raise RuntimeError("broken")

    watcher.beat("web@here", [Part.WEB], broken)
    assert PartSeen.objects.alive().count() == 1


def test_beat_is_alive_only_while_it_goes_round(monkeypatch, tmp_path):
    idle = Celery("idle", broker="memory://")
    scheduler = ticking.Scheduler(idle, schedule_filename=str(tmp_path / "beat"))
    monkeypatch.setattr(ticking.BEAT, "_last", ticking.BEAT._last - 3600)
    assert not ticking.BEAT.is_fresh()
    scheduler.tick()
    assert ticking.BEAT.is_fresh()
    scheduler.close()


def test_control_is_alive_only_while_it_looks_at_the_schedule(watched, monkeypatch):
    both = [Part.WORKER, Part.CONTROL]
    monkeypatch.setattr(heartbeat, "_ready", Event())
    assert heartbeat._alive(both) == []  # Redis was not reached yet
    heartbeat.mark_ready()
    monkeypatch.setattr(ticking.CONTROL, "_last", ticking.CONTROL._last - 3600)
    assert heartbeat._alive(both) == [Part.WORKER]
    periodic.schedule_tick()
    assert heartbeat._alive(both) == both


def test_the_web_part_lives_from_startup_to_shutdown(watched):
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    answers = []

    async def receive():
        if len(messages) == 1:
            for _ in range(200):
                if await asyncio.to_thread(PartSeen.objects.filter(part=Part.WEB).exists):
                    break
                await asyncio.sleep(0.05)
        return messages.pop(0)

    async def send(message):
        answers.append(message["type"])

    asyncio.run(lifespan({"type": "lifespan"}, receive, send))
    assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert PartSeen.objects.get(part=Part.WEB).name.startswith("web@")
