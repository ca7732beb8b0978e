"""Whoever asks too often is told when to come back. Row 82."""

import pytest
from django.test import Client

from backups_app import refusals
from backups_app.models import AuditEntry
from backups_app.tokens import make_token
from tests.support.people import browser_of

pytestmark = pytest.mark.django_db
STATUS, TRIGGER = "/api/backup/status", "/api/backup/trigger"


@pytest.fixture(autouse=True)
def twenty_a_minute(settings):
    settings.API_RATE = 20


def refused(answer):
    body = answer.json()
    assert answer.status_code == 429
    assert body["code"] == "THROTTLED"
    assert "Retry-After" in body["hint"]
    return 0 < int(answer.headers["Retry-After"]) <= 60


def test_each_caller_has_a_rate_of_its_own(service, api):
    for _ in range(20):
        assert api.get(STATUS).status_code == 200
    assert refused(api.get(STATUS))
    _, text = make_token(name="x", role="viewer")
    assert Client(headers={"Authorization": f"Bearer {text}"}).get(STATUS).status_code == 200
    assert browser_of("viewer").get(STATUS).status_code == 200


def test_changes_have_a_tenth_of_it(service, api):
    assert [api.post(TRIGGER).status_code for _ in range(2)] == [202, 409]
    assert refused(api.post(TRIGGER))
    assert api.get(STATUS).status_code == 200


def test_no_limit_is_no_limit(service, api, settings):
    settings.API_RATE = 0
    assert {api.get(STATUS).status_code for _ in range(30)} == {200}


def test_row_82_whoever_guesses_tokens_has_to_wait_and_others_there_need_not(service, api):
    guesses = [
        Client(headers={"Authorization": f"Bearer wrong{number}"}).get(STATUS)
        for number in range(refusals.MOST + 1)
    ]
    assert {answer.status_code for answer in guesses[:-1]} == {401}
    assert refused(guesses[-1])
    assert refused(Client().get(STATUS))
    assert api.get(STATUS).status_code == 200
    assert refused(Client().get(STATUS))
    told = AuditEntry.objects.filter(action="status").values_list("outcome", flat=True)
    assert list(told) == ["AUTHENTICATION_FAILED"]
    assert Client(REMOTE_ADDR="10.0.0.2").get(STATUS).status_code == 401
