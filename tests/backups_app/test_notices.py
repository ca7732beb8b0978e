"""What people are told of a job, and that it reaches a real receiver."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from backups_app import addresses, notices, telling, watcher
from backups_app.models import Job, Kind, Notice, NoticeState, Trigger
from backups_app.states import State
from tests.support.receiver import receiver
from tests.support.service import claimed_job, finished_job
from worker.engine.notify.send import Message, send
from worker.engine.notify.variables import EVENTS, NotifyConfig

pytestmark = pytest.mark.django_db(transaction=True)
STOPPED = [{"code": "INSTANCES_NOT_STARTED", "path": "", "message": "it is still stopped"}]
WARNED = [{"code": "FILE_VANISHED", "path": "a", "message": "it vanished"}]


@pytest.fixture
def there():
    with receiver() as seen:
        yield seen


@pytest.fixture
def told(service, settings, there):
    """A service that tells all to the receiver."""
    config = NotifyConfig(urls=(f"json://{there.address}/hook",), allow_private=True)
    settings.TARKEEP = replace(service, notify=config)
    return settings.TARKEEP


def events(config):
    """Of all that was told; what waits counts as sent."""
    telling.tell_jobs(config)
    waiting = Notice.objects.filter(state=NoticeState.WAITING)
    waiting.update(state=NoticeState.SENT, sent_at=timezone.now())
    return list(Notice.objects.order_by("pk").values_list("event", flat=True))


def failed(**more):
    said = {
        "error_code": "STORAGE_UNREACHABLE",
        "error_message": "The bucket is out of reach",
        "error_hint": "Look at the network.",
    }
    return finished_job(State.FAILED, **{**said, **more})


def test_a_failure_reaches_the_receiver_with_job_cause_and_hint(told, there):
    job = failed()
    watcher.post()
    ((method, path, body),) = there.requests
    message = json.loads(body)
    assert (method, path) == ("POST", "/hook")
    assert message["title"] == "Tarkeep: backup failed"
    assert message["type"] == "failure"
    assert str(job.pk)[:8] in message["message"]
    assert "The bucket is out of reach" in message["message"]
    assert "Look at the network." in message["message"]
    assert Notice.objects.get().state == NoticeState.SENT


@pytest.mark.parametrize(
    ("state", "fields", "expected"),
    [
        (State.SUCCEEDED, {}, ["success"]),
        (State.SUCCEEDED, {"warnings": WARNED, "warning_count": 1}, ["warning"]),
        (State.SUCCEEDED, {"warnings": STOPPED, "warning_count": 1}, ["warning"]),
        (State.SUCCEEDED, {"kind": Kind.DRILL}, ["drill"]),
        (State.FAILED, {"error_code": "ANY"}, ["failure"]),
        (State.FAILED, {"error_code": "SLOT_MISSED"}, ["missed"]),
        (State.LOST, {"error_code": "LEASE_LOST"}, ["warning"]),
        (State.LOST, {"error_code": "LEASE_LOST", "attempt": 3}, ["failure"]),
        (State.LOST, {"error_code": "DRAINED"}, []),
        (State.CANCELLED, {}, []),
        (State.SUCCEEDED, {"trigger": Trigger.IMPORT}, []),
    ],
)
def test_each_end_has_its_event_and_is_told_once(told, state, fields, expected):
    finished_job(state, **fields)
    assert events(told) == expected
    assert events(told) == expected


def test_a_run_that_is_tried_again_is_not_told_as_failed(told):
    for kind in (Kind.BACKUP, Kind.VERIFY):
        finished_job(State.LOST, error_code="DRAINED", attempt=3, kind=kind)
        finished_job(kind=kind)
    assert events(told) == ["success", "drill"]


def test_the_first_success_after_a_failure_is_a_recovery(told):
    failed()
    finished_job()
    finished_job()
    assert events(told) == ["failure", "recovered", "success"]


def test_a_recovery_with_warnings_is_one_message_that_says_both(told, settings):
    failed()
    finished_job(warnings=WARNED, warning_count=1)
    assert events(told) == ["failure", "recovered"]
    assert Notice.objects.last().title == "Tarkeep: backup works again, with warnings"


def test_a_failure_after_a_recovery_is_told_however_soon(told):
    failed()
    finished_job()
    failed()
    assert events(told) == ["failure", "recovered", "failure"]


def test_only_the_events_that_were_chosen_are_told(told, settings):
    chosen = replace(told, notify=replace(told.notify, events=("failure",)))
    finished_job()
    failed()
    assert events(chosen) == ["failure"]


def test_failures_alike_are_told_once_in_half_an_hour_and_then_counted(told):
    for _ in range(5):
        failed()
    assert events(told) == ["failure"]
    assert Notice.objects.get().more == 4
    Notice.objects.update(created_at=timezone.now() - timedelta(minutes=31))
    failed()
    assert events(told) == ["failure", "failure"]
    assert "4 more messages about this were not sent" in Notice.objects.last().body


def test_an_address_gets_no_more_than_so_many_an_hour_and_the_rest_afterwards(told, there):
    to = {"target": addresses.target(told.notify.urls[0]), "next_at": timezone.now()}
    for number in range(notices.AN_HOUR_AT_MOST + 2):
        Notice.objects.create(event="failure", about=f"thing {number}", topic="t", title="t", **to)
    while taken := notices.take_next(told.notify):
        notices.record(taken[0], "")
    waiting = Notice.objects.filter(state=NoticeState.WAITING)
    assert waiting.count() == 2
    Notice.objects.update(sent_at=timezone.now() - timedelta(minutes=61))
    while taken := notices.take_next(told.notify):
        notices.record(taken[0], "")
    assert not waiting.exists()


def test_the_newest_news_takes_the_place_of_what_could_not_be_sent(told, there):
    there.status = 500
    failed()
    watcher.post()
    failed(error_code="ANOTHER")
    finished_job()
    there.status = 200
    watcher.post()
    assert len(there.requests) == 1
    Notice.objects.update(next_at=timezone.now())
    watcher.post()
    said = json.loads(there.requests[-1][2])
    assert len(there.requests) == 2
    assert "2 more messages about this" in said["message"]
    assert said["title"] == "Tarkeep: backup works again"
    assert set(Notice.objects.values_list("state", flat=True)) == {"REPLACED", "SENT"}


def test_what_waited_for_its_turn_too_long_is_replaced_by_what_is_newer(told):
    failed()
    telling.tell_jobs(told)
    Notice.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    finished_job()
    assert events(told) == ["failure", "recovered"]
    assert Notice.objects.first().state == NoticeState.REPLACED
    assert "1 more messages about this were not sent" in Notice.objects.last().body


def test_a_receiver_that_fails_is_tried_for_a_day(told, there):
    there.status = 500
    failed()
    for attempt in range(1, 10):
        watcher.post()
        assert len(there.requests) == attempt
        assert Notice.objects.get().next_at < timezone.now() + timedelta(minutes=61)
        Notice.objects.update(next_at=timezone.now())
    assert Notice.objects.get().state == NoticeState.WAITING
    Notice.objects.update(created_at=timezone.now() - timedelta(hours=25))
    watcher.post()
    assert Notice.objects.get().state == NoticeState.GIVEN_UP
    assert Job.objects.get().state == State.FAILED


def test_what_waits_goes_to_no_address_that_was_taken_out(told, settings, there):
    failed()
    telling.tell_jobs(told)
    settings.TARKEEP = replace(told, notify=NotifyConfig())
    watcher.post()
    assert there.requests == []
    assert Notice.objects.get().state == NoticeState.GIVEN_UP


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/uuid", ["/uuid/start", "/uuid", "/uuid/start", "/uuid/fail"]),
        (
            "/api/push/token?status=up&msg=OK&ping=",
            ["/api/push/token?status=up&msg=success", "/api/push/token?status=down&msg=fail"],
        ),
    ],
)
def test_heartbeats_at_start_success_and_failure(told, settings, there, path, expected):
    config = NotifyConfig(heartbeat_url=f"http://{there.address}{path}", allow_private=True)
    settings.TARKEEP = replace(told, notify=config)
    job = claimed_job()
    watcher.post()
    job.finish(State.SUCCEEDED)
    watcher.post()
    failed()  # so short that nobody saw it begin
    watcher.post()
    finished_job(kind=Kind.RESTORE)
    finished_job(State.CANCELLED)
    watcher.post()
    assert [one[1] for one in there.requests] == expected


@pytest.fixture
def beating(told, settings, there):
    config = NotifyConfig(heartbeat_url=f"http://{there.address}/uuid", allow_private=True)
    settings.TARKEEP = replace(told, notify=config)
    return config


def test_a_heartbeat_that_could_not_be_sent_never_comes_after_a_newer_one(beating, there):
    there.status = 500
    job = claimed_job()
    watcher.post()
    there.status = 200
    job.finish(State.SUCCEEDED)
    for _ in range(2):
        Notice.objects.update(next_at=timezone.now())
        watcher.post()
    assert [one[1] for one in there.requests] == ["/uuid/start", "/uuid"]


def test_a_heartbeat_waits_for_the_one_before_that_another_process_sends(beating):
    notices.ping(beating, "start")
    start, _ = notices.take_next(beating)
    notices.ping(beating, "success")
    assert notices.take_next(beating) is None
    notices.record(start, "")
    (success, message) = notices.take_next(beating)
    assert message["url"].endswith("/uuid")
    assert success.state == NoticeState.WAITING


def message(url, *, ping=False, private=False) -> Message:
    return {
        "url": url, "title": "t", "body": "b", "type": "info", "ping": ping, "private": private,
    }  # fmt: skip


@pytest.mark.parametrize("ping", [True, False])
def test_private_addresses_are_refused_unless_they_are_allowed(there, ping):
    url = f"{'http' if ping else 'json'}://{there.address}/"
    assert send(message(url, ping=ping), {})
    assert there.requests == []
    assert send(message(url, ping=ping, private=True), {}) == ""
    assert len(there.requests) == 1


@pytest.mark.parametrize("ping", [True, False])
def test_a_redirect_is_not_followed(there, ping):
    there.status, there.location = 302, f"http://{there.address}/elsewhere"
    url = f"{'http' if ping else 'json'}://{there.address}/first"
    assert send(message(url, ping=ping, private=True), {})
    assert [one[1] for one in there.requests] == ["/first"]


def test_the_reason_quotes_no_address():
    reason = send(message("json://user:hunter2@127.0.0.1:9/", private=True), {})
    assert reason
    assert "hunter2" not in reason


def test_every_event_has_its_tone():
    assert set(notices.TONES) == set(EVENTS)


def test_jobs_are_told_by_one_of_many_who_look(told):
    job = failed()
    stale = Job.objects.get(pk=job.pk)
    telling.tell_jobs(told)
    telling._tell_end(stale, told)
    assert Notice.objects.count() == 1
