"""The summary of a week."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from backups_app import pauses, summary
from backups_app.models import BucketSummary, Kind, Notice
from backups_app.states import State
from tests.support.service import KEY, finished_job
from worker.engine.notify.variables import NotifyConfig

pytestmark = pytest.mark.django_db
MONDAY = datetime(2025, 9, 1, 12, tzinfo=UTC)  # nine in São Paulo
WEEK = timedelta(days=7)


@pytest.fixture
def told(service):
    notify = NotifyConfig(urls=("jsons://nowhere.example/",), events=("summary",))
    return replace(service, enabled=True, notify=notify)


def test_each_monday_it_is_told_once_and_not_for_the_week_it_was_set_up_in(told):
    for now in (MONDAY - timedelta(days=2), MONDAY - timedelta(seconds=1)):
        summary.tell(told, now)
    assert not Notice.objects.exists()
    for hours in (0, 1, 30, 100):
        summary.tell(told, MONDAY + timedelta(hours=hours))
    assert Notice.objects.count() == 1
    summary.tell(told, MONDAY + WEEK)
    assert [one.event for one in Notice.objects.all()] == ["summary", "summary"]


def test_after_a_long_silence_one_summary_is_enough(told):
    summary.tell(told, MONDAY - timedelta(days=2))
    summary.tell(told, MONDAY + 9 * WEEK)
    assert Notice.objects.count() == 1


def test_it_says_what_was_made_how_things_stand_and_what_is_open(told):
    finished_job(result={"size": 3 << 20}, backup_key=KEY)
    finished_job(State.FAILED)
    finished_job(kind=Kind.VERIFY, backup_key=KEY)
    BucketSummary.objects.create(plan="default", backups=4, total_bytes=9 << 20, latest_bytes=1)
    pauses.begin("default", by="ana")
    body = summary.of_week(told, timezone.now()).body
    assert "Backups made: 1, failed or missed: 1." in body
    assert "3.0 MiB" in body
    assert "In the bucket: 4 backups, 9.0 MiB." in body
    assert "Last good drill: none." in body
    assert "The schedule is off, or paused." in body
    assert "Open: The schedule is paused by ana" in body


def test_a_week_without_anything_is_told_too(told):
    body = summary.of_week(told, timezone.now()).body
    assert "Backups made: 0, failed or missed: 0." in body
    assert "Next backup: 20" in body
