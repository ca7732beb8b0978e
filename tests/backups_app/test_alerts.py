"""What alerts there are, beyond missing parts and overdue backups (test_watching.py)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from backups_app import addresses, pauses, telling, watcher
from backups_app.alerts import alerts
from backups_app.models import (
    Job,
    Kind,
    Notice,
    NoticeState,
    OpenAlert,
    Part,
    PartSeen,
    ScheduleClock,
    SchedulePause,
)
from backups_app.states import State
from tests.support.service import finished_job
from worker.engine.notify.variables import NotifyConfig
from worker.engine.settings import Problem

pytestmark = pytest.mark.django_db(transaction=True)
SUNDAY = datetime(2025, 8, 31, 7, 30, tzinfo=UTC)  # half past four in São Paulo
DAY = timedelta(days=1)


def found(config, now=None):
    return {(one.code, one.about): one for one in alerts(config, now or timezone.now())}


def codes(config, now=None):
    return {code for code, _ in found(config, now)}


@pytest.fixture
def scheduled(service, settings):
    settings.TARKEEP = replace(service, enabled=True, drill_schedule="0 5 * * 6")
    for kind in (Kind.VERIFY, Kind.DRILL):
        line = {"line": "x", "zone": "UTC", "until": SUNDAY - DAY, "since": SUNDAY - DAY}
        ScheduleClock.objects.create(plan="default", kind=kind, **line)
    return settings.TARKEEP


def test_a_check_is_overdue_a_day_after_its_time(scheduled):
    finished_job()
    assert "VERIFY_OVERDUE" not in codes(scheduled, SUNDAY + DAY - timedelta(minutes=1))
    assert "VERIFY_OVERDUE" in codes(scheduled, SUNDAY + DAY)
    job = finished_job(kind=Kind.VERIFY)
    Job.objects.filter(pk=job.pk).update(started_at=SUNDAY)
    assert "VERIFY_OVERDUE" not in codes(scheduled, SUNDAY + 2 * DAY)


def test_drills_have_a_schedule_of_their_own(scheduled):
    finished_job()
    assert "DRILL_OVERDUE" in codes(scheduled, SUNDAY + 2 * DAY)
    assert not codes(replace(scheduled, drill_schedule=""), SUNDAY)


def test_before_the_first_backup_no_check_is_missed(scheduled):
    assert not codes(scheduled, SUNDAY + 3 * DAY)


def test_while_the_schedule_is_paused_nothing_is_overdue_but_the_pause_is_told(scheduled):
    finished_job()
    pauses.begin("default", by="ana")
    (paused,) = alerts(scheduled, SUNDAY + 9 * DAY)
    assert paused.code == "PAUSED"
    assert "by ana since" in paused.message
    pauses.end("default")
    assert "PAUSED" not in codes(scheduled, SUNDAY + 9 * DAY)


def test_a_pause_ends_by_itself(scheduled):
    pauses.begin("default", by="ana", until=timezone.now() + DAY)
    assert "PAUSED" in codes(scheduled, SUNDAY)
    SchedulePause.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert "PAUSED" not in codes(scheduled, SUNDAY)


def test_wrong_settings_of_any_part_are_told_by_all(service, settings):
    wrong = replace(service, problems=(Problem("BACKUP_SCHEDULE", "It is wrong", "Mend it."),))
    settings.TARKEEP = replace(wrong, notify=NotifyConfig(urls=("jsons://nowhere.example/",)))
    watcher.beat("backup@here", [Part.WORKER], lambda: None)
    alert = found(service)["SETTINGS_WRONG", "BACKUP_SCHEDULE"]
    assert (alert.message, alert.hint) == ("It is wrong. No backup is made", "Mend it.")
    assert Notice.objects.get().event == "failure"
    PartSeen.objects.update(stopped=True)
    assert "SETTINGS_WRONG" not in codes(service)


@pytest.mark.parametrize("newer", [True, False])
def test_a_part_of_another_version_than_the_database_says_so(service, newer):
    recorder = MigrationRecorder(connection)
    last = recorder.migration_qs.filter(app="backups_app").order_by("name").last()
    if newer:
        recorder.record_applied("backups_app", "9999_of_tomorrow")
    else:
        recorder.record_unapplied("backups_app", last.name)
    try:
        watcher.beat("web@here", [Part.WEB], lambda: None)
        alert = found(service)["SCHEMA_MISMATCH", "web"]
    finally:
        recorder.record_unapplied("backups_app", "9999_of_tomorrow")
        if not newer:
            recorder.record_applied("backups_app", last.name)
    assert f"The database is {'newer' if newer else 'older'} than this program" in alert.message


@pytest.fixture
def notified(service):
    urls = ("jsons://one.example/", "mailto://user:hunter2@two.example")
    return replace(service, notify=NotifyConfig(urls=urls))


def notice(url, **more):
    fields = {"event": "failure", "topic": "t", "title": "t", "next_at": timezone.now(), **more}
    return Notice.objects.create(target=addresses.target(url), **fields)


def test_an_address_that_takes_nothing_is_told_without_its_secrets(notified):
    first, second = notified.notify.urls
    notice(first, state=NoticeState.SENT, sent_at=timezone.now())
    assert "NOTIFY_BROKEN" not in codes(notified)
    notice(second, attempts=3, reason="not accepted")
    alert = found(notified)["NOTIFY_BROKEN", "address 2 (mailto)"]
    assert "not accepted" in alert.message
    assert "hunter2" not in repr(alert)
    telling.tell_alerts(notified, timezone.now())
    assert Notice.objects.filter(target=addresses.target(first), topic__contains="BROKEN").exists()


def test_an_address_works_again_when_it_has_taken_something(notified):
    url = notified.notify.urls[0]
    notice(url, state=NoticeState.GIVEN_UP, reason="no answer in time")
    assert "NOTIFY_BROKEN" in codes(notified)
    notice(url, state=NoticeState.SENT, sent_at=timezone.now() + timedelta(seconds=1))
    assert "NOTIFY_BROKEN" not in codes(notified)


GIB = 1 << 30
USUAL = {"dataSize": 10 * GIB, "files": 20_000, "bytesRead": GIB, "base": "x"}


def backups(count, **last):
    for number in range(count):
        told = USUAL | (last if number == count - 1 else {})
        job = finished_job(result=told, backup_key=f"backup-{number}")
        ended = timezone.now() + timedelta(minutes=number)
        began = ended - timedelta(seconds=100)
        Job.objects.filter(pk=job.pk).update(finished_at=ended, started_at=began)


@pytest.mark.parametrize(
    ("last", "what"),
    [
        ({}, None),
        ({"dataSize": 3 * GIB}, "data"),
        ({"dataSize": 5 * GIB}, None),
        ({"files": 100_000}, "files"),
        ({"bytesRead": 9 * GIB}, "changed data"),
        ({"bytesRead": 9 * GIB, "fullReason": "FIRST"}, None),
    ],
)
def test_a_backup_far_from_what_is_usual_is_worth_a_look(service, last, what):
    backups(6, **last)
    told = [about for code, about in found(service) if code == "BACKUP_UNUSUAL"]
    assert told == ([what] if what else [])


def test_a_backup_that_took_much_longer_is_worth_a_look(service):
    backups(6)
    job = Job.objects.order_by("finished_at").last()
    Job.objects.filter(pk=job.pk).update(started_at=job.finished_at - timedelta(hours=2))
    alert = found(service)["BACKUP_UNUSUAL", "time"]
    assert "7200 seconds, where 100 seconds is usual" in alert.message


def test_of_few_backups_nothing_is_usual(service):
    backups(5, dataSize=1)
    assert "BACKUP_UNUSUAL" not in codes(service)


def test_small_things_are_never_unusual(service):
    for number in range(6):
        finished_job(result={"dataSize": 10 if number else 90_000, "files": 1 if number else 400})
    assert "BACKUP_UNUSUAL" not in codes(service)


def test_alerts_that_are_only_worth_a_look_are_warnings(notified):
    backups(6, dataSize=1)
    telling.tell_alerts(notified, timezone.now())
    assert set(Notice.objects.values_list("event", flat=True)) == {"warning"}
    assert OpenAlert.objects.get().subject == "data"
    assert Job.objects.filter(state=State.SUCCEEDED).count() == 6
