"""Which scheduled backups are due: each slot once, a late one once, none forgotten silently."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backups_app.models import Job, ScheduleClock, Trigger
from backups_app.states import State
from tests.support.service import claimed_job
from worker import slots
from worker.engine.settings import Problem

pytestmark = pytest.mark.django_db(transaction=True)
EVENING = datetime(2025, 8, 28, 22, 0, tzinfo=UTC)
SLOT = datetime(2025, 8, 29, 5, 0, tzinfo=UTC)  # two at night in São Paulo
DAY = timedelta(days=1)


@pytest.fixture
def scheduled(service, settings):
    settings.TARKEEP = replace(service, enabled=True)
    slots.run_due(settings.TARKEEP, EVENING)
    return settings.TARKEEP


def end_active():
    for job in Job.objects.active():
        Job.objects.claim(job.pk, owner="test").finish(State.SUCCEEDED)


def rows():
    return list(Job.objects.order_by("slot").values_list("slot", "state", "error_code"))


def test_turning_the_schedule_on_catches_nothing_up(scheduled):
    assert not Job.objects.exists()


def test_a_slot_is_queued_when_its_time_has_come(scheduled):
    slots.run_due(scheduled, SLOT - timedelta(seconds=1))
    assert not Job.objects.exists()
    slots.run_due(scheduled, SLOT)
    job = Job.objects.get()
    assert (job.slot, job.state, job.trigger) == (SLOT, State.PENDING, Trigger.SCHEDULE)


def test_a_slot_is_queued_once_however_often_it_ticks(scheduled):
    for seconds in (0, 1, 15, 30, 3600):
        slots.run_due(scheduled, SLOT + timedelta(seconds=seconds))
        end_active()
    assert Job.objects.count() == 1


def test_two_schedulers_cannot_queue_a_slot_twice(scheduled):
    slots.run_due(scheduled, SLOT)
    end_active()
    ScheduleClock.objects.update(until=EVENING)
    slots.run_due(scheduled, SLOT)
    assert Job.objects.count() == 1
    assert ScheduleClock.objects.get().until == SLOT


def test_a_late_tick_catches_up_once_and_records_what_was_missed(scheduled):
    slots.run_due(scheduled, SLOT + 3 * DAY + timedelta(hours=4))
    assert rows() == [
        (SLOT + 2 * DAY, State.FAILED, "SLOT_MISSED"),
        (SLOT + 3 * DAY, State.PENDING, ""),
    ]
    missed = Job.objects.get(state=State.FAILED)
    assert "3 backups were missed" in missed.error_message
    assert missed.error_hint
    assert missed.started_at is None


def test_while_another_job_runs_the_slot_waits(scheduled):
    busy = claimed_job()
    slots.run_due(scheduled, SLOT)
    assert Job.objects.count() == 1
    busy.finish(State.SUCCEEDED)
    slots.run_due(scheduled, SLOT + timedelta(minutes=5))
    assert Job.objects.get(state=State.PENDING).slot == SLOT


def test_a_slot_that_wrong_settings_forbid_is_recorded(scheduled):
    from django.conf import settings

    wrong = Problem("BACKUP_S3_BUCKET", "BACKUP_S3_BUCKET is not configured", "Set it.")
    settings.TARKEEP = replace(scheduled, problems=(wrong,))
    for _ in range(2):
        slots.run_due(settings.TARKEEP, SLOT)
    assert rows() == [(SLOT, State.FAILED, "BUCKET_NOT_CONFIGURED")]


def test_a_changed_line_starts_anew(scheduled):
    hourly = replace(scheduled, schedule="0 * * * *")
    slots.run_due(hourly, SLOT + timedelta(hours=1, minutes=30))
    assert not Job.objects.exists()
    slots.run_due(hourly, SLOT + timedelta(hours=2))
    assert Job.objects.get().slot == SLOT + timedelta(hours=2)


def test_off_and_on_again_catches_nothing_up(scheduled):
    slots.run_due(replace(scheduled, enabled=False), SLOT)
    slots.run_due(scheduled, SLOT + timedelta(hours=1))
    assert not Job.objects.exists()
