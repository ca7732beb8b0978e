"""POST /api/backup/schedule/pause and /resume, POST /api/backup/notify/test"""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from backups_app.models import AuditEntry, SchedulePause
from tests.support.receiver import receiver
from worker.engine.notify.variables import NotifyConfig

pytestmark = pytest.mark.django_db
PAUSE, RESUME = "/api/backup/schedule/pause", "/api/backup/schedule/resume"
STATUS, TEST = "/api/backup/status", "/api/backup/notify/test"


@pytest.fixture
def scheduled(service, settings):
    settings.TARKEEP = replace(service, enabled=True)
    return settings.TARKEEP


def post(api, url, **body):
    return api.post(url, json.dumps(body), content_type="application/json")


def test_a_pause_is_told_and_ends_when_it_is_resumed(api, scheduled):
    answer = post(api, PAUSE)
    assert answer.status_code == 200
    status = api.get(STATUS).json()
    assert status["paused"] == answer.json()["paused"]
    assert (status["nextRun"], status["nextRuns"]) == (None, [])
    assert [one["code"] for one in status["alerts"]] == ["PAUSED"]
    assert post(api, RESUME).json() == {"paused": None}
    status = api.get(STATUS).json()
    assert status["paused"] is None
    assert len(status["nextRuns"]) == 5
    assert list(AuditEntry.objects.order_by("number").values_list("action", flat=True)) == [
        "schedule-pause", "schedule-resume",
    ]  # fmt: skip


def test_a_pause_may_end_by_itself_and_the_next_run_comes_after_it(api, scheduled):
    until = timezone.now() + timedelta(days=3)
    assert post(api, PAUSE, until=until.isoformat()).status_code == 200
    assert api.get(STATUS).json()["nextRun"] > until.isoformat()


def test_a_pause_that_is_over_already_is_refused(api, scheduled):
    answer = post(api, PAUSE, until=(timezone.now() - timedelta(hours=1)).isoformat())
    assert answer.status_code == 400
    assert "until: is over already" in answer.json()["message"]
    assert not SchedulePause.objects.exists()


def test_resuming_what_is_not_paused_does_no_harm(api, scheduled):
    assert post(api, RESUME).status_code == 200


def test_a_test_message_goes_to_each_address_and_what_came_of_it_is_told(api, service, settings):
    with receiver() as there:
        urls = (f"json://{there.address}/", "json://user:hunter2@127.0.0.1:9/", "nonsense://x")
        config = NotifyConfig(urls=urls, allow_private=True)
        settings.TARKEEP = replace(service, notify=config)
        answer = post(api, TEST)
    assert answer.status_code == 200
    told = {one["address"]: one for one in answer.json()["deliveries"]}
    assert told["address 1 (json)"]["taken"] is True
    assert told["address 2 (json)"]["reason"] == "not accepted, or out of reach"
    assert told["address 3 (nonsense)"]["reason"] == "Apprise does not know this kind of address"
    assert "hunter2" not in answer.content.decode()
    assert json.loads(there.requests[0][2])["title"] == "Tarkeep: a test"


def test_without_an_address_there_is_nothing_to_test(api, service):
    answer = post(api, TEST)
    assert (answer.status_code, answer.json()["code"]) == (409, "NOTIFY_UNSET")
