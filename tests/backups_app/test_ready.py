"""GET /readyz"""

from dataclasses import replace

import pytest
from django.test import Client

from backups_app.models import Part, PartSeen
from backups_app.ready import remembered

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh():
    remembered.forget()
    yield
    remembered.forget()


def all_parts():
    for part in Part:
        PartSeen.objects.mark(f"{part}@here", part)


def test_a_whole_service_is_ready(service_on_s3, api):
    all_parts()
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.content) == (200, b"ready\n")
    assert api.get("/readyz").json() == {
        "ready": True,
        "checks": dict.fromkeys(
            ("settings", "database", "redis", "s3", "worker", "control", "beat"), ""
        ),
    }


def test_strangers_are_told_that_it_is_not_ready_but_not_why(service):
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.content) == (503, b"not ready\n")


def test_whoever_may_know_is_told_what_is_wrong(service, settings, api):
    settings.TARKEEP = replace(service, redis_url="redis://:hunter2@127.0.0.1:9/0")
    PartSeen.objects.mark("beat@here", Part.BEAT)
    answer = api.get("/readyz")
    wrong = answer.json()["checks"]
    assert answer.status_code == 503
    assert {name for name, reason in wrong.items() if reason} == {
        "redis", "s3", "worker", "control",
    }  # fmt: skip
    assert wrong["worker"] == "not seen"
    assert "hunter2" not in str(wrong)


def test_the_bucket_is_not_asked_again_for_each_who_asks(service_on_s3, settings, api):
    all_parts()
    assert api.get("/readyz").status_code == 200
    settings.TARKEEP = replace(service_on_s3, redis_url="redis://127.0.0.1:9/0")
    assert api.get("/readyz").status_code == 200
