"""Jobs whose worker is gone are buried, cleaned up after, and tried again where it is safe."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backups_app.models import Job, Kind
from backups_app.states import State
from tests.support.s3client import s3_client
from tests.support.service import KEY, claimed_job, expire, make_job
from worker.engine.storage.s3 import open_storage
from worker.reaper import reap

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


def test_a_dead_backup_is_lost_and_tried_again_after_a_while(service):
    job = lost(requested_by="ana")
    reap(service)
    assert Job.objects.get(pk=job.pk).state == State.LOST
    assert Job.objects.get(pk=job.pk).error_code == "LEASE_LOST"
    again = after(job)
    assert (again.state, again.attempt, again.retry_of_id) == (State.PENDING, 2, job.pk)
    assert (again.kind, again.requested_by, again.slot) == (Kind.BACKUP, "ana", None)
    assert timedelta(seconds=20) < again.not_before - timezone.now() < timedelta(seconds=31)


def test_reaping_twice_tries_again_once(service):
    lost()
    reap(service)
    reap(service)
    assert Job.objects.count() == 2


def test_the_third_attempt_is_the_last(service):
    lost(attempt=3)
    reap(service)
    assert Job.objects.get().state == State.LOST


def test_the_upload_it_had_begun_is_aborted(service_on_s3):
    storage = open_storage(service_on_s3.storage)
    upload = storage.start_upload(KEY)
    upload.send_part(1, b"x" * 5 * 1024 * 1024)
    lost(effects=[{"effect": "upload", "key": KEY, "uploadId": upload.upload_id}])
    reap(service_on_s3)
    left = s3_client(service_on_s3.storage).list_multipart_uploads(
        Bucket=service_on_s3.storage.bucket
    )
    assert not left.get("Uploads")


def test_what_cannot_be_cleaned_up_now_is_cleaned_up_later(service, service_on_s3, settings):
    job = lost(effects=[{"effect": "upload", "key": KEY, "uploadId": "unknown"}])
    reap(service)
    assert Job.objects.get().state == State.LOST
    assert not Job.objects.get().cleaned_up
    reap(service_on_s3)
    assert Job.objects.get(pk=job.pk).cleaned_up
    assert after(job).state == State.PENDING


def test_after_a_day_cleaning_up_is_given_up(service_on_s3):
    job = lost()
    yesterday = timezone.now() - timedelta(days=1, minutes=1)
    Job.objects.update(state=State.LOST, finished_at=yesterday)
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
