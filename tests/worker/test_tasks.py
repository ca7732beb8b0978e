"""The task: claim, run the real engine on a real bucket, record."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from backups_app.models import BucketSummary, Job, Kind
from backups_app.states import State
from tests.support.service import claimed_job, finished_job, make_job
from worker import drain, reporting
from worker.engine.naming import parse_key
from worker.tasks import run_job

pytestmark = pytest.mark.django_db(transaction=True)


def run(**fields):
    """Run a job to its end, as a worker would, and give what its row says then."""
    job = make_job(**fields)
    run_job(str(job.pk))
    return Job.objects.get(pk=job.pk)


def tree(folder: Path):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def test_a_backup_runs_and_its_row_tells_the_story(service_on_s3):
    job = run()
    assert (job.state, job.error_code) == (State.SUCCEEDED, "")
    assert parse_key(service_on_s3.plan, job.backup_key)
    assert set(job.result) == {
        "size", "dataSize", "files", "bytesSent", "checksum", "encrypted", "pruned", "downtime",
    }  # fmt: skip
    assert (job.result["dataSize"], job.result["files"], job.result["pruned"]) == (6, 1, [])
    names = [phase["name"] for phase in job.phases]
    assert names == ["preparing", "scanning", "archiving", "publishing", "pruning"]
    assert all(phase["seconds"] is not None for phase in job.phases)
    assert (job.files_done, job.bytes_done) == (1, 6)
    assert job.bytes_sent > 0
    assert job.committed_step == "publish"
    assert job.effects[0]["effect"] == "upload"
    assert job.started_at <= job.finished_at
    seen = BucketSummary.objects.get()
    assert (seen.backups, seen.latest_bytes) == (1, job.result["size"])


def test_a_restore_brings_the_folder_back_and_says_where_the_old_one_is(service_on_s3):
    data = service_on_s3.plan.data_dir
    before = tree(data)
    key = run().backup_key
    (data / "hello.txt").write_text("changed")
    (data / "new.txt").write_text("new")
    job = run(kind=Kind.RESTORE, backup_key=key)
    assert job.state == State.SUCCEEDED
    assert tree(data) == before
    assert job.result["files"] == 1
    assert job.result["mode"]
    assert (Path(job.result["safetyCopy"]) / "new.txt").read_text() == "new"


def test_a_verification_reads_the_backup(service_on_s3):
    job = run(kind=Kind.VERIFY, backup_key=run().backup_key)
    assert (job.state, job.result) == (State.SUCCEEDED, {"files": 1, "bytes": 6})


def test_with_a_key_the_backup_is_encrypted(service_on_s3, settings):
    plan = replace(service_on_s3.plan, encryption_key="k" * 40)
    settings.TARKEEP = replace(service_on_s3, plan=plan)
    assert run().result["encrypted"] is True


def test_a_second_hint_changes_nothing(service_on_s3):
    job = run()
    run_job(str(job.pk))
    again = Job.objects.get(pk=job.pk)
    assert (again.revision, again.finished_at) == (job.revision, job.finished_at)


@pytest.mark.parametrize("make", [claimed_job, finished_job])
def test_a_hint_for_a_job_that_does_not_wait_changes_nothing(service, make):
    job = make()
    run_job(str(job.pk))
    assert Job.objects.get(pk=job.pk).revision == job.revision


def test_a_failure_of_the_storage_is_recorded_with_its_hint(service):
    job = run()
    assert (job.state, job.error_code) == (State.FAILED, "STORAGE_UNREACHABLE")
    assert job.error_message.startswith("Failed to connect to S3")
    assert job.error_hint


def test_a_missing_data_folder_is_recorded(service_on_s3, settings, tmp_path):
    plan = replace(service_on_s3.plan, data_dir=tmp_path / "nowhere")
    settings.TARKEEP = replace(service_on_s3, plan=plan)
    assert run().error_code == "SOURCE_MISSING"


def test_a_fault_of_ours_is_recorded_without_its_text_and_logged(service, settings, caplog):
    settings.TARKEEP = replace(service, plan=None)
    job = run()
    assert (job.state, job.error_code) == (State.FAILED, "INTERNAL_ERROR")
    assert "NoneType" not in job.error_message
    assert "Traceback" in caplog.text


def test_a_cancelled_job_ends_cancelled_and_leaves_nothing_in_the_bucket(
    service_on_s3, monkeypatch
):
    from tests.support.s3client import s3_client

    job = make_job()
    monkeypatch.setattr(reporting, "TICK", 0.01)
    announce_cancel_when_running(monkeypatch, job)
    run_job(str(job.pk))
    assert Job.objects.get(pk=job.pk).state == State.CANCELLED
    s3, bucket = s3_client(service_on_s3.storage), service_on_s3.storage.bucket
    assert s3.list_objects_v2(Bucket=bucket).get("KeyCount") == 0
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")


def announce_cancel_when_running(monkeypatch, job):
    """Cancel at the moment when the archive is about to be made."""
    phase = reporting.JobProgress.phase

    def cancelling(self, name):
        phase(self, name)
        if name == "archiving":
            assert Job.objects.get(pk=job.pk).cancel()

    monkeypatch.setattr(reporting.JobProgress, "phase", cancelling)


def test_a_drained_job_is_lost_and_says_why(service_on_s3):
    drain.request()
    try:
        job = run()
    finally:
        drain.clear()
    assert (job.state, job.error_code, job.committed_step) == (State.LOST, "DRAINED", "")


def test_the_log_tells_the_story_under_the_jobs_short_id(service_on_s3, caplog):
    from backups_app.story import JobFilter

    caplog.handler.addFilter(JobFilter())
    caplog.set_level(logging.INFO)
    job = run()
    ours = [r for r in caplog.records if getattr(r, "job", "") == str(job.pk)[:8]]
    told = [record.getMessage() for record in ours]
    assert told[0].startswith("backup begins, attempt 1")
    assert "archiving" in told
    assert told[-1].startswith("SUCCEEDED")
