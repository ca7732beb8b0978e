"""GET jobs/ID/log, jobs/days, jobs/series"""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from backups_app.models import Job, JobLine
from backups_app.states import State
from tests.support.service import finished_job

pytestmark = pytest.mark.django_db
JOBS = "/api/backup/jobs"
MIDNIGHT = datetime(2025, 8, 29, 2, 30, tzinfo=UTC)  # the 28th in São Paulo, an hour before its end


def made(at, state=State.SUCCEEDED, **fields):
    job = finished_job(state, **fields)
    times = {"created_at": at, "started_at": at, "finished_at": at + timedelta(seconds=90)}
    Job.objects.filter(pk=job.pk).update(**times)
    return job


def days(api, **query):
    answer = api.get(f"{JOBS}/days", query)
    assert answer.status_code == 200, answer.json()
    return {day["date"]: day for day in answer.json()["days"]}


def test_the_log_of_a_job_is_read_page_by_page(api, service):
    job, other = finished_job(), finished_job()
    now = timezone.now()
    for number in range(5):
        JobLine.objects.create(job=job, at=now, level="INFO", text=f"line {number}")
    JobLine.objects.create(job=other, at=now, level="INFO", text="not this one")
    texts, after = [], 0
    while after is not None:
        page = api.get(f"{JOBS}/{job.pk}/log", {"after": after, "limit": 2}).json()
        texts += [line["text"] for line in page["lines"]]
        after = page["next"]
    assert texts == [f"line {number}" for number in range(5)]


def test_the_log_of_no_job_is_not_found(api, service):
    assert api.get(f"{JOBS}/6f0c7b7e-2f0e-4d1c-9d3e-6a1f6c1f3f10/log").status_code == 404


def test_a_day_is_one_of_the_zone_asked_for(api, service, monkeypatch):
    at = timezone.now().replace(hour=2, minute=30) - timedelta(days=3)  # in UTC
    made(at)
    made(at, State.FAILED)
    made(at, State.LOST)
    made(at, State.CANCELLED)
    there = days(api, zone="America/Sao_Paulo")[f"{at - timedelta(days=1):%Y-%m-%d}"]
    assert {name: there[name] for name in ("succeeded", "failed", "cancelled", "missed")} == {
        "succeeded": 1,
        "failed": 2,
        "cancelled": 1,
        "missed": 0,
    }
    assert days(api)[f"{at:%Y-%m-%d}"]["failed"] == 2


def test_missed_slots_are_shown_on_their_days(api, service):
    today = timezone.now().replace(hour=12)
    first, last = today - timedelta(days=6), today - timedelta(days=2)
    told = {"missed": 10, "first": first.isoformat(), "last": last.isoformat()}
    made(today, State.FAILED, error_code="SLOT_MISSED", result=told)
    found = days(api, days=10)
    assert [day["missed"] for day in found.values()] == [0, 0, 0, 2, 2, 2, 2, 2, 0, 0]
    assert sum(day["failed"] for day in found.values()) == 0


def test_there_are_as_many_days_as_asked_for_and_ninety_else(api, service):
    assert len(days(api)) == 90
    assert list(days(api, days=1)) == [f"{timezone.now():%Y-%m-%d}"]


@pytest.mark.parametrize("query", [{"zone": "Nowhere/At_all"}, {"days": 0}, {"days": "many"}])
def test_malformed_queries_are_refused_by_name(api, service, query):
    answer = api.get(f"{JOBS}/days", query)
    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["message"]


def test_curves_hold_what_went_well_oldest_first(api, service):
    now = timezone.now()
    made(now - timedelta(days=1), result={"size": 20, "bytesSent": 2})
    made(now - timedelta(days=2), result={"size": 10})
    made(now - timedelta(days=3), State.FAILED)
    made(now - timedelta(days=200), result={"size": 1})
    drawn = api.get(f"{JOBS}/series").json()
    assert drawn["size"] == [10, 20]
    assert drawn["sent"] == [None, 2]
    assert drawn["seconds"] == [90.0, 90.0]
    assert drawn["at"] == sorted(drawn["at"])


@pytest.mark.parametrize("path", ["days", "series", "6f0c7b7e-2f0e-4d1c-9d3e-6a1f6c1f3f10/log"])
def test_strangers_see_nothing(client, service, path):
    assert client.get(f"{JOBS}/{path}").status_code == 401
