"""Jobs whose worker is gone are buried, cleaned up after, and tried again where it is safe."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backups_app import services
from backups_app.models import Job, Kind
from backups_app.states import State
from tests.support.s3client import s3_client
from tests.support.service import KEY, claimed_job, expire, finished_job, make_job
from worker.engine.storage.s3 import open_storage
from worker.reaper import reap
from worker.unfinished import of_earlier_attempts

pytestmark = pytest.mark.django_db(transaction=True)


def lost(**fields):
    job = claimed_job(**fields)
    expire(job)
    return job


def after(job):
    return Job.objects.exclude(pk=job.pk).first()


def test_a_job_whose_lease_holds_is_left_alone(service):
    job = claimed_job()
    reap(service)
    assert Job.objects.get() == job
    assert Job.objects.get().state == State.RUNNING


def test_a_dead_backup_is_lost_and_tried_again_at_once(service):
    job = lost(requested_by="ana")
    reap(service)
    assert Job.objects.get(pk=job.pk).state == State.LOST
    assert Job.objects.get(pk=job.pk).error_code == "LEASE_LOST"
    again = after(job)
    assert (again.state, again.attempt, again.retry_of_id) == (State.PENDING, 2, job.pk)
    assert (again.kind, again.requested_by, again.slot) == (Kind.BACKUP, "ana", None)
    assert again.not_before - timezone.now() < timedelta(seconds=5)


@pytest.mark.parametrize(("attempt", "minutes"), [(1, 5), (2, 15), (3, 45)])
def test_a_failure_that_may_pass_is_tried_again_later_and_later(service, attempt, minutes):
    job = claimed_job(attempt=attempt)
    job.finish(State.FAILED, error_code="STORAGE_UNREACHABLE", passing=True)
    reap(service)
    again = after(job)
    assert (again.state, again.attempt, again.retry_of_id) == (State.PENDING, attempt + 1, job.pk)
    wait = again.not_before - timezone.now()
    assert timedelta(minutes=minutes - 1) < wait < timedelta(minutes=minutes * 1.3)


@pytest.mark.parametrize(
    "fields", [{"passing": False}, {"attempt": 4}, {"kind": Kind.RESTORE, "backup_key": KEY}]
)
def test_other_failures_are_the_users_to_mend(service, fields):
    job = claimed_job(**{name: fields[name] for name in fields if name != "passing"})
    job.finish(State.FAILED, passing=fields.get("passing", True))
    reap(service)
    assert Job.objects.get() == job


def test_what_is_asked_for_meanwhile_goes_before_a_new_attempt_that_waits(service):
    job = claimed_job()
    job.finish(State.FAILED, passing=True)
    reap(service)
    asked = services.start_backup(trigger="api", requested_by="ana")
    assert Job.objects.get(retry_of=job).state == State.CANCELLED
    assert list(Job.objects.active()) == [asked]


def test_a_dead_job_that_was_cancelled_is_not_tried_again(service):
    job = claimed_job()
    job.cancel()
    expire(job)
    reap(service)
    assert (Job.objects.get().state, Job.objects.get().cleaned_up) == (State.LOST, True)


def test_what_was_drained_before_a_long_weekend_goes_on_after_it(service):
    job = claimed_job()
    job.finish(State.LOST, error_code="DRAINED")
    Job.objects.update(finished_at=timezone.now() - timedelta(days=4))
    reap(service)
    assert after(job).retry_of == job


def test_what_a_later_backup_has_made_up_for_is_not_tried_again(service):
    job = claimed_job()
    job.finish(State.LOST, error_code="DRAINED")
    finished_job()
    reap(service)
    assert not Job.objects.active().exists()
    assert Job.objects.get(pk=job.pk).cleaned_up


def test_trouble_with_one_job_costs_the_others_nothing(service, caplog):
    broken = lost(effects=[{"effect": "upload"}], attempt=3)  # without a key
    ten_minutes_ago = timezone.now() - timedelta(minutes=10)
    Job.objects.filter(pk=broken.pk).update(state=State.LOST, finished_at=ten_minutes_ago)
    job = lost()
    reap(service)
    assert not Job.objects.get(pk=broken.pk).cleaned_up
    assert Job.objects.get(pk=job.pk).cleaned_up
    assert "KeyError" in caplog.text


def test_reaping_twice_tries_again_once(service):
    lost()
    reap(service)
    reap(service)
    assert Job.objects.count() == 2


def test_the_third_attempt_is_the_last(service):
    lost(attempt=3)
    reap(service)
    assert Job.objects.get().state == State.LOST


def test_the_upload_it_had_begun_is_aborted_after_its_last_attempt(service_on_s3):
    storage = open_storage(service_on_s3.storage)
    upload = storage.start_upload(KEY)
    upload.send_part(1, b"x" * 5 * 1024 * 1024)
    effects = [{"effect": "upload", "key": KEY, "uploadId": upload.upload_id}]
    job = lost(effects=effects)
    reap(service_on_s3)
    assert of_earlier_attempts(after(job)) == [(KEY, upload.upload_id)]
    assert [one.upload_id for one in storage.uploads("")] == [upload.upload_id]
    after(job).cancel()
    lost(effects=effects, attempt=3)
    reap(service_on_s3)
    left = s3_client(service_on_s3.storage).list_multipart_uploads(
        Bucket=service_on_s3.storage.bucket
    )
    assert not left.get("Uploads")


def test_what_cannot_be_cleaned_up_now_is_cleaned_up_later(service, service_on_s3, settings):
    job = lost(effects=[{"effect": "upload", "key": KEY, "uploadId": "unknown"}], attempt=3)
    reap(service)
    assert Job.objects.get().state == State.LOST
    assert not Job.objects.get().cleaned_up
    reap(service_on_s3)
    assert Job.objects.get(pk=job.pk).cleaned_up


def test_after_a_month_cleaning_up_is_given_up(service_on_s3):
    job = lost()
    long_ago = timezone.now() - timedelta(days=30, minutes=1)
    Job.objects.update(state=State.LOST, finished_at=long_ago)
    reap(service_on_s3)
    assert Job.objects.get() == job
    assert not Job.objects.get().cleaned_up


def test_a_dead_restore_is_not_tried_again(service):
    lost(kind=Kind.RESTORE, backup_key=KEY)
    reap(service)
    assert Job.objects.get().state == State.LOST
    assert Job.objects.get().cleaned_up


def test_a_dead_verification_is_tried_again_with_its_key(service):
    job = lost(kind=Kind.VERIFY, backup_key=KEY)
    reap(service)
    assert (after(job).kind, after(job).backup_key) == (Kind.VERIFY, KEY)


@pytest.mark.parametrize("kind", Kind)
def test_a_drained_job_goes_on_at_once_as_the_attempt_it_was(service, kind):
    job = claimed_job(kind=kind, backup_key=KEY, attempt=3)
    job.finish(State.LOST, error_code="DRAINED")
    reap(service)
    again = after(job)
    assert (again.kind, again.attempt) == (kind, 3)
    assert Job.objects.claim(again.pk, owner="next") is not None


def test_a_job_that_somebody_started_meanwhile_takes_its_place(service):
    job = lost()
    Job.objects.update(state=State.LOST, finished_at=timezone.now())
    newer = make_job()
    reap(service)
    assert list(Job.objects.active()) == [newer]
    assert Job.objects.get(pk=job.pk).cleaned_up
