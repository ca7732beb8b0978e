"""Which scheduled backups are due: each slot once, a late one once, none forgotten silently."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from backups_app import pauses
from backups_app.models import Job, Kind, ScheduleClock, Trigger
from backups_app.states import State
from tests.support.service import KEY, claimed_job, finished_job
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


@pytest.mark.row(15)
def test_two_schedulers_cannot_queue_a_slot_twice(scheduled):
    slots.run_due(scheduled, SLOT)
    end_active()
    ScheduleClock.objects.update(until=EVENING)
    slots.run_due(scheduled, SLOT)
    assert Job.objects.count() == 1
    assert ScheduleClock.objects.get(kind="backup").until == SLOT


@pytest.mark.row(15)
@pytest.mark.invariant("I1")
def test_eight_schedulers_at_the_same_moment_queue_it_once(scheduled):
    at_once, broke = Barrier(8), []

    def tick():
        try:
            at_once.wait()
            slots.run_due(scheduled, SLOT)
        except Exception as error:  # noqa: BLE001 - whatever it is
            broke.append(error)
        finally:
            connection.close()

    threads = [Thread(target=tick) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broke == []
    assert [(job.slot, job.state) for job in Job.objects.all()] == [(SLOT, State.PENDING)]


@pytest.mark.row(20)
def test_slots_that_pass_while_a_run_goes_on_do_not_pile_up(scheduled):
    busy = claimed_job()
    for days in range(4):
        slots.run_due(scheduled, SLOT + days * DAY)
    assert Job.objects.count() == 1
    busy.finish(State.SUCCEEDED)
    slots.run_due(scheduled, SLOT + 3 * DAY + timedelta(minutes=5))
    waiting = Job.objects.get(state=State.PENDING)
    assert waiting.slot == SLOT + 3 * DAY
    assert Job.objects.get(error_code="SLOT_MISSED").result["missed"] == 3


@pytest.mark.row(16)
def test_a_scheduler_that_was_away_for_six_hours_makes_up_for_one(scheduled):
    hourly = replace(scheduled, schedule="0 * * * *")
    slots.run_due(hourly, SLOT)
    slots.run_due(hourly, SLOT + timedelta(hours=6, minutes=20))
    assert [job.slot for job in Job.objects.active()] == [SLOT + timedelta(hours=6)]
    assert Job.objects.get(error_code="SLOT_MISSED").result["missed"] == 5


@pytest.mark.row(16)
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


def test_what_is_too_late_to_be_made_up_is_recorded_only(scheduled):
    strict = replace(scheduled, catchup_hours=3)
    slots.run_due(strict, SLOT + DAY + timedelta(hours=4))
    assert rows() == [(SLOT + DAY, State.FAILED, "SLOT_MISSED")]
    slots.run_due(strict, SLOT + 2 * DAY + timedelta(hours=2))
    assert Job.objects.get(state=State.PENDING).slot == SLOT + 2 * DAY


def test_a_tick_held_up_by_minutes_still_runs_the_slot_where_nothing_is_made_up(scheduled):
    slots.run_due(replace(scheduled, catchup_hours=0), SLOT + timedelta(minutes=4))
    assert rows() == [(SLOT, State.PENDING, "")]


@pytest.mark.row(20)
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


def checked(scheduled, settings, **lines):
    """With checks at the same minute as backups, and a backup to be checked."""
    finished_job(backup_key=KEY)
    settings.TARKEEP = replace(
        scheduled, verify_schedule=scheduled.schedule, drill_schedule=scheduled.schedule, **lines
    )
    slots.run_due(settings.TARKEEP, EVENING)
    return settings.TARKEEP


def pending():
    return [(job.kind, job.slot) for job in Job.objects.active()]


def test_of_backup_and_checks_due_at_once_the_backup_goes_first_and_none_is_lost(
    scheduled, settings
):
    service, seen = checked(scheduled, settings), []
    for minutes in range(4):
        slots.run_due(service, SLOT + timedelta(minutes=minutes))
        seen += pending()
        end_active()
    assert seen == [("backup", SLOT), ("verify", SLOT), ("drill", SLOT)]


def test_a_backup_that_comes_due_while_a_drill_runs_waits_for_its_end(scheduled, settings):
    service = checked(scheduled, settings)
    drill = claimed_job(kind=Kind.DRILL, trigger=Trigger.SCHEDULE)
    slots.run_due(service, SLOT)
    assert pending() == [("drill", None)]
    drill.finish(State.SUCCEEDED)
    slots.run_due(service, SLOT + timedelta(minutes=50))
    assert pending() == [("backup", SLOT)]
    assert not Job.objects.filter(error_code="SLOT_MISSED").exists()


def test_missed_checks_are_caught_up_once_and_not_recorded(scheduled, settings):
    service = checked(scheduled, settings, schedule="0 0 1 1 *")
    slots.run_due(service, SLOT + 3 * DAY)
    assert pending() == [("verify", SLOT + 3 * DAY)]
    assert not Job.objects.filter(state=State.FAILED).exists()


def test_without_a_backup_there_is_nothing_to_check(scheduled, settings):
    service = replace(scheduled, schedule="0 0 1 1 *", verify_schedule=scheduled.schedule)
    slots.run_due(service, EVENING)
    slots.run_due(service, SLOT)
    assert not Job.objects.exists()


def test_while_the_schedule_is_paused_slots_pass_by_and_none_is_missed_afterwards(scheduled):
    pauses.begin("default", by="ana")
    slots.run_due(scheduled, SLOT + 3 * DAY)
    pauses.end("default")
    slots.run_due(scheduled, SLOT + 3 * DAY + timedelta(hours=1))
    assert not Job.objects.exists()
    slots.run_due(scheduled, SLOT + 4 * DAY)
    assert rows() == [(SLOT + 4 * DAY, State.PENDING, "")]


def test_with_jitter_a_run_begins_up_to_so_much_later_and_each_at_another_time(scheduled):
    shaky = replace(scheduled, jitter_minutes=60, catchup_hours=0)
    pauses_made = {slots._jitter(shaky, SLOT + n * DAY) for n in range(20)}
    assert len(pauses_made) > 10
    assert timedelta() <= min(pauses_made) <= max(pauses_made) <= timedelta(hours=1)
    due = SLOT + slots._jitter(shaky, SLOT)
    slots.run_due(shaky, due - timedelta(seconds=1))
    assert not Job.objects.exists()
    slots.run_due(shaky, due)
    assert rows() == [(SLOT, State.PENDING, "")]


@pytest.mark.row(18)
def test_a_clock_that_was_ahead_for_a_while_does_not_silence_the_schedule(scheduled):
    slots.run_due(scheduled, SLOT + 365 * DAY)
    end_active()
    before = Job.objects.count()
    slots.run_due(scheduled, SLOT + timedelta(hours=1))  # the clock is right again
    slots.run_due(scheduled, SLOT + DAY)
    made = Job.objects.exclude(state=State.FAILED).order_by("-created_at")
    assert Job.objects.count() == before + 1
    assert made[0].slot == SLOT + DAY


@pytest.mark.row(18)
def test_a_clock_that_was_never_set_is_no_reason_to_count_for_half_a_century(scheduled):
    minutely = replace(scheduled, schedule="* * * * *")
    slots.run_due(minutely, datetime(1970, 1, 1, tzinfo=UTC))
    slots.run_due(minutely, SLOT)
    missed = Job.objects.get(error_code="SLOT_MISSED").result
    assert missed["missed"] < 366 * 24 * 60
    assert Job.objects.filter(state=State.PENDING).count() == 1


@pytest.mark.row(18)
def test_a_clock_that_is_put_back_runs_no_slot_twice(scheduled):
    slots.run_due(scheduled, SLOT)
    end_active()
    for hours in (-2, -1, 0, 1):
        slots.run_due(scheduled, SLOT + timedelta(hours=hours))
    assert Job.objects.filter(slot=SLOT).count() == 1
    assert not Job.objects.active().exists()
