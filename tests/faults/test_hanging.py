"""Rows 28 and 34: what hangs, and what is only slow."""

import os

import pytest

from backups_app.models import Job
from backups_app.states import State
from tests.support.fault_proxy import Fault
from tests.support.hungfile import hung
from tests.support.realworker import (
    gate,
    start_backup,
    state,
    until,
    workers,
)
from worker import tasks
from worker.reaper import reap

__all__ = ["gate", "workers"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_row_28_a_read_that_hangs_in_the_kernel_costs_its_process_and_not_the_worker(
    workers, settings, service_on_s3
):
    """Neither an exception nor a signal but SIGKILL gets through to a thread that hangs there."""
    hanging = service_on_s3.plan.data_dir / "on-a-dead-server.bin"
    hanging.write_bytes(b"x" * 100_000)
    with hung(hanging):
        job = start_backup()
        worker = workers(BACKUP_STALL_MINUTES="0.05")
        until(lambda: state(job) == State.LOST)
        pid = int(Job.objects.get(pk=job.pk).owner.rpartition(":")[2])
        until(lambda: not os.path.exists(f"/proc/{pid}"))
        assert pid != worker.process.pid
        assert worker.process.poll() is None
    assert Job.objects.get(pk=job.pk).error_code == "STALLED"
    reap(settings.TARKEEP)
    again = Job.objects.get(retry_of=job)
    Job.objects.filter(pk=again.pk).update(not_before=None)
    tasks.send_hint(str(again.pk))
    until(lambda: state(again) == State.SUCCEEDED)  # by the same worker


def test_row_34_an_answer_that_never_ends_is_noticed_past_the_point_of_no_return_too(
    workers, settings, gate
):
    gate.proxy.faults = [Fault("POST", "uploadId=", trickle=0.2)]
    job = start_backup()
    workers(BACKUP_STALL_MINUTES="0.05")
    until(lambda: state(job) == State.LOST)
    assert Job.objects.get(pk=job.pk).committed_step == "publish"
    reap(settings.TARKEEP)
    again = Job.objects.get(retry_of=job)
    Job.objects.filter(pk=again.pk).update(not_before=None)
    tasks.send_hint(str(again.pk))
    until(lambda: state(again) == State.SUCCEEDED)


def test_row_34_a_slow_line_is_no_answer_that_never_ends(workers, service_on_s3):
    """Its one part takes twice as long as nothing may move."""
    (service_on_s3.plan.data_dir / "large.bin").write_bytes(os.urandom(6 * 1024 * 1024))
    job = start_backup()
    workers(BACKUP_STALL_MINUTES="0.05", BACKUP_UPLOAD_LIMIT="1M")
    until(lambda: state(job) == State.SUCCEEDED)
