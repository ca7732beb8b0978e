"""The task: claim, run the real engine on a real bucket, record."""

import logging
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import sleep

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from backups_app import bucket, logbook
from backups_app.models import BucketSummary, Job, Kind
from backups_app.states import State
from tests.support.fault_proxy import Answer, Fault, FaultProxy
from tests.support.places import leftovers
from tests.support.service import claimed_job, finished_job, make_job
from worker import drain, reporting
from worker.engine.config import ReuseConfig
from worker.engine.naming import parse_key
from worker.engine.storage.s3 import open_storage
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
        "bucket", "size", "dataSize", "files", "bytesRead", "bytesSent", "bytesCopied", "base",
        "generation", "fullReason", "checksum", "encrypted", "pruned", "downtime", "keyId",
        "unchanged",
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


def test_what_a_run_says_in_the_log_is_kept_with_its_job(service_on_s3):
    job, other = run(), run()
    texts = [line.text for line in job.lines.all()]
    assert texts[0].startswith("backup begins, attempt 1")
    assert texts.index("scanning") < texts.index("publishing") < texts.index("SUCCEEDED ")
    assert other.lines.count() == len(texts)
    logging.getLogger("elsewhere").warning("after the run")
    assert other.lines.count() == len(texts)


def test_a_run_that_talks_without_end_fills_no_database(service_on_s3, monkeypatch):
    monkeypatch.setattr(logbook, "MOST", 3)
    texts = [line.text for line in run().lines.all()]
    assert len(texts) == 3
    assert texts[-1] == "More is in the log file of the worker."


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
    assert job.state == State.SUCCEEDED
    about = {name: job.result[name] for name in ("files", "bytes", "databases", "indexed")}
    assert about == {"files": 1, "bytes": 6, "databases": 0, "indexed": True}


def test_a_scheduled_check_chooses_its_backup_and_writes_down_which(service_on_s3):
    key = run().backup_key
    for kind in (Kind.VERIFY, Kind.DRILL):
        job = run(kind=kind)
        assert (job.state, job.backup_key) == (State.SUCCEEDED, key), job.error_message


def test_a_check_without_any_backup_says_so(service_on_s3):
    job = run(kind=Kind.DRILL)
    assert (job.state, job.error_code) == (State.FAILED, "BACKUP_NOT_FOUND")


def test_with_a_key_the_backup_is_encrypted(service_on_s3, settings):
    plan = replace(service_on_s3.plan, encryption_key="k" * 40)
    settings.TARKEEP = replace(service_on_s3, plan=plan)
    assert run().result["encrypted"] is True


@pytest.mark.parametrize(("mode", "reason"), [("", "TOO_LITTLE"), ("full", "FULL_ASKED")])
def test_a_backup_is_made_as_it_was_asked_for(service_on_s3, mode, reason):
    run()
    assert run(mode=mode).result["fullReason"] == reason


def test_where_nothing_changed_none_is_stored_and_the_last_one_counts_as_new(
    service_on_s3, settings
):
    reuse = ReuseConfig(skips=True, settled=-(10**18))
    settings.TARKEEP = replace(service_on_s3, plan=replace(service_on_s3.plan, reuse=reuse))
    first = run()
    again = run()
    assert (again.state, again.backup_key) == (State.SUCCEEDED, first.backup_key)
    assert again.result["unchanged"]
    bucket.refresh(settings.TARKEEP)
    assert bucket.newest_made("default", ()) == again.started_at
    assert bucket.newest_made("default", {first.backup_key}) is None


@pytest.mark.row(7)
def test_a_second_hint_changes_nothing(service_on_s3):
    job = run()
    run_job(str(job.pk))
    again = Job.objects.get(pk=job.pk)
    assert (again.revision, again.finished_at) == (job.revision, job.finished_at)


@pytest.mark.parametrize(("name", "told"), [("0001_initial", "older"), ("9999_new", "newer")])
def test_row_25_a_worker_of_another_version_than_the_database_takes_no_job(
    service_on_s3, caplog, name, told
):
    recorder = MigrationRecorder(connection)
    there = ("backups_app", name) in recorder.applied_migrations()
    job = make_job()
    (recorder.record_unapplied if there else recorder.record_applied)("backups_app", name)
    try:
        run_job(str(job.pk))
        assert Job.objects.get(pk=job.pk).state == State.PENDING
        assert f"The database is {told} than this program" in caplog.text
    finally:
        (recorder.record_applied if there else recorder.record_unapplied)("backups_app", name)
    run_job(str(job.pk))
    assert Job.objects.get(pk=job.pk).state == State.SUCCEEDED


@pytest.mark.row(8)
@pytest.mark.parametrize("make", [claimed_job, finished_job])
def test_a_hint_for_a_job_that_does_not_wait_changes_nothing(service, make):
    job = make()
    run_job(str(job.pk))
    assert Job.objects.get(pk=job.pk).revision == job.revision


def test_a_failure_of_the_storage_is_recorded_with_its_hint(service):
    job = run()
    assert (job.state, job.error_code) == (State.FAILED, "STORAGE_UNREACHABLE")
    assert job.passing
    assert job.error_message.startswith("Failed to connect to S3")
    assert job.error_hint


def test_a_missing_data_folder_is_recorded(service_on_s3, settings, tmp_path):
    plan = replace(service_on_s3.plan, data_dir=tmp_path / "nowhere")
    settings.TARKEEP = replace(service_on_s3, plan=plan)
    job = run()
    assert (job.error_code, job.passing) == ("SOURCE_MISSING", False)


def test_a_fault_of_ours_is_recorded_without_its_text_and_logged(service, settings, caplog):
    settings.TARKEEP = replace(service, storage=None)
    job = run()
    assert (job.state, job.error_code) == (State.FAILED, "INTERNAL_ERROR")
    assert "NoneType" not in job.error_message
    assert "Traceback" in caplog.text


def cancel_in(monkeypatch, wanted):
    """Cancel as the phase begins, and go on with it when the run could know."""
    phase = reporting.JobProgress.phase

    def cancelling(self, name):
        phase(self, name)
        if name == wanted:
            assert Job.objects.get(pk=self.job.pk).cancel()
            while not self.stop:
                sleep(0.01)

    monkeypatch.setattr(reporting, "TICK", 0.01)
    monkeypatch.setattr(reporting.JobProgress, "phase", cancelling)


@pytest.mark.row(26)
@pytest.mark.invariant("I3", "I6")
@pytest.mark.parametrize("phase", ["preparing", "scanning", "archiving", "publishing"])
def test_a_backup_cancelled_in_any_phase_ends_there_and_leaves_nothing(
    service_on_s3, monkeypatch, phase
):
    cancel_in(monkeypatch, phase)
    job = run()
    assert job.state == State.CANCELLED
    assert job.phases[-1]["name"] == ("scanning" if phase == "preparing" else phase)
    storage = open_storage(service_on_s3.storage)
    assert [found.key for found in storage.list("")] == []
    assert list(storage.uploads("")) == []


@pytest.mark.row(26)
@pytest.mark.invariant("I5")
@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        (Kind.VERIFY, "preparing"),
        (Kind.VERIFY, "reading"),
        (Kind.DRILL, "preparing"),
        (Kind.DRILL, "restoring"),
        (Kind.DRILL, "comparing"),
        (Kind.RESTORE, "preparing"),
        (Kind.RESTORE, "fetching"),
        (Kind.RESTORE, "swapping"),
    ],
)
def test_other_jobs_end_in_the_phase_in_which_they_are_cancelled(
    service_on_s3, monkeypatch, kind, phase
):
    key = run().backup_key
    data = service_on_s3.plan.data_dir
    (data / "hello.txt").write_text("changed")
    cancel_in(monkeypatch, phase)
    job = run(kind=kind, backup_key=key)
    assert job.state == State.CANCELLED
    assert job.phases[-1]["name"] == phase
    assert (data / "hello.txt").read_text() == "changed"
    assert leftovers(data) == []
    assert [one.name for one in service_on_s3.plan.temp_dir.iterdir()] == [".tarkeep-machine"]


@pytest.mark.row(26)
def test_a_backup_is_cancelled_while_the_bucket_is_busy_for_ever(
    service_on_s3, settings, monkeypatch
):
    busy = Answer(503, [], b"<Error><Code>SlowDown</Code></Error>")
    proxy = FaultProxy(service_on_s3.storage.endpoint)
    proxy.faults = [Fault("PUT", "partNumber", times=10**6, instead=busy)]
    storage = replace(service_on_s3.storage, endpoint=proxy.endpoint)
    settings.TARKEEP = replace(service_on_s3, storage=storage)
    job = make_job()
    running = Thread(target=run_in_thread, args=(job,))
    running.start()
    try:
        while not any("partNumber" in line for line in proxy.seen):
            sleep(0.05)
        assert job.cancel()
        running.join(60)  # its patience with the bucket is five minutes
        assert not running.is_alive()
        assert Job.objects.get().state == State.CANCELLED
        assert list(open_storage(service_on_s3.storage).uploads("")) == []
    finally:
        proxy.stop()
        running.join()


def run_in_thread(job):
    try:
        run_job(str(job.pk))
    finally:
        connection.close()


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
