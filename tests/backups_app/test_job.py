"""The job moves only along the table, only with its fence, and only by the database's clock."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from backups_app.models import Job
from backups_app.states import FINAL, MOVES, State
from tests.support.service import claimed_job, expire, finished_job, make_job

pytestmark = pytest.mark.django_db


def reread(job):
    return Job.objects.get(pk=job.pk)


def test_claiming_makes_it_run_with_a_lease_and_a_fence():
    job = claimed_job()
    assert (job.state, job.owner, job.revision) == (State.RUNNING, "test", 2)
    assert timedelta(seconds=80) < job.lease_until - timezone.now() < timedelta(seconds=95)
    assert job.fence == 1
    assert job.started_at is not None


@pytest.mark.invariant("I1")
def test_a_second_hint_claims_nothing():
    job = claimed_job()
    assert Job.objects.claim(job.pk, owner="other") is None
    assert reread(job).owner == "test"


def test_each_claim_gets_a_greater_fence_than_all_before():
    finished_job()
    make_job(state=State.LOST, fence=7)
    assert claimed_job().fence == 8


def test_a_job_told_to_wait_is_not_claimed_before_its_time():
    waiting = make_job(not_before=timezone.now() + timedelta(minutes=1))
    assert Job.objects.claim(waiting.pk, owner="test") is None
    Job.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    assert Job.objects.claim(waiting.pk, owner="test") is not None


@pytest.mark.parametrize("state", [State.PENDING, State.RUNNING])
def test_one_plan_has_one_active_job(state):
    make_job(state=state)
    with pytest.raises(IntegrityError, match=r"one_active_job_per_plan|backups_app_job.plan"):
        make_job()


def test_another_plan_and_finished_jobs_are_not_in_the_way():
    for state in FINAL:
        make_job(state=state)
    make_job(plan="other")
    assert make_job().state == State.PENDING


def test_a_slot_is_taken_once():
    slot = timezone.now()
    finished_job(slot=slot)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_job(slot=slot)
    assert make_job(slot=slot, plan="other").slot == slot


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("target", sorted(FINAL))
def test_a_job_finishes_only_along_the_table(state, target):
    job = make_job(state=state)
    moved = job.finish(target)
    assert moved == (target in MOVES[state])
    assert reread(job).state == (target if moved else state)


def test_finishing_records_the_end_and_raises_the_revision():
    job = claimed_job()
    assert job.finish(State.FAILED, error_code="SOURCE_MISSING")
    after = reread(job)
    assert (after.error_code, after.revision) == ("SOURCE_MISSING", job.revision + 1)
    assert after.finished_at is not None
    assert after.lease_until is None


@pytest.mark.parametrize(
    "action",
    [
        lambda job: job.finish(State.SUCCEEDED),
        lambda job: job.renew(),
        lambda job: job.report(phase="archiving"),
        lambda job: job.commit("publish"),
    ],
    ids=["finish", "renew", "report", "commit"],
)
def test_a_worker_whose_fence_is_old_can_do_nothing(action):
    zombie = claimed_job()
    Job.objects.update(fence=zombie.fence + 1)
    before = Job.objects.values().get()
    assert action(zombie) is False
    assert Job.objects.values().get() == before


def test_renewing_holds_the_lease_and_shows_nothing():
    job = claimed_job()
    expire(job)
    assert job.renew()
    assert reread(job).lease_until > timezone.now() + timedelta(seconds=80)
    assert reread(job).revision == job.revision


def test_reporting_holds_the_lease_and_raises_the_revision():
    job = claimed_job()
    expire(job)
    assert job.report(phase="archiving", bytes_done=5)
    after = reread(job)
    assert (after.phase, after.bytes_done, after.revision) == ("archiving", 5, job.revision + 1)
    assert after.lease_until > timezone.now()


def test_a_waiting_job_is_cancelled_at_once():
    job = make_job()
    assert job.cancel()
    assert reread(job).state == State.CANCELLED
    assert reread(job).finished_at is not None


def test_a_running_job_is_asked_to_stop_and_runs_until_it_does():
    job = claimed_job()
    assert job.cancel()
    after = reread(job)
    assert (after.state, after.cancel_requested_at is not None) == (State.RUNNING, True)


def test_cancelling_works_when_the_job_was_claimed_in_between():
    seen_waiting = make_job()
    Job.objects.claim(seen_waiting.pk, owner="test")
    assert seen_waiting.cancel()
    assert reread(seen_waiting).cancel_requested_at is not None


def test_cancelling_twice_keeps_the_first_time():
    job = claimed_job()
    assert job.cancel()
    first = reread(job).cancel_requested_at
    assert job.cancel()
    assert reread(job).cancel_requested_at == first


def test_past_the_point_of_no_return_cancelling_is_refused():
    job = claimed_job()
    assert job.commit("publish")
    assert not job.cancel()
    assert reread(job).cancel_requested_at is None


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_finished_job_cannot_be_cancelled(state):
    assert not make_job(state=state).cancel()


def test_a_cancelled_job_passes_no_point_of_no_return():
    job = claimed_job()
    job.cancel()
    assert not job.commit("publish")
    assert reread(job).committed_step == ""


def test_a_job_whose_lease_ran_out_passes_no_point_of_no_return():
    job = claimed_job()
    expire(job)
    assert not job.commit("publish")


def test_committed_steps_follow_one_another():
    job = claimed_job()
    assert job.commit("publish")
    assert job.commit("prune")
    assert reread(job).committed_step == "prune"


def test_only_expired_jobs_are_lost():
    job = claimed_job()
    assert not job.lose()
    assert list(Job.objects.expired()) == []
    expire(job)
    assert list(Job.objects.expired()) == [job]
    assert job.lose(error_code="LEASE_LOST")
    assert reread(job).state == State.LOST


def test_a_worker_that_came_back_in_time_keeps_its_job():
    job = claimed_job()
    expire(job)
    seen_by_reaper = Job.objects.expired().get()
    assert job.renew()
    assert not seen_by_reaper.lose()
    assert reread(job).state == State.RUNNING


def test_hints_are_due_when_none_was_sent_for_half_a_minute():
    job = make_job()
    assert list(Job.objects.unhinted()) == [job]
    Job.objects.update(dispatched_at=timezone.now())
    assert list(Job.objects.unhinted()) == []
    Job.objects.update(dispatched_at=timezone.now() - timedelta(seconds=31))
    assert list(Job.objects.unhinted()) == [job]
    Job.objects.update(not_before=timezone.now() + timedelta(seconds=30))
    assert list(Job.objects.unhinted()) == []
