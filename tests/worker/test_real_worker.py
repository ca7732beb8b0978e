"""A real Celery worker: takes hints from Redis, drains on SIGTERM, and may die at any time."""

import signal
from dataclasses import replace
from time import sleep

import pytest

from backups_app import services
from backups_app.models import Job, PartSeen
from backups_app.states import State
from tests.support.celeryworker import CONTROL, Worker, environment
from tests.support.realworker import (
    SLOW,
    caught_in_the_middle,
    fill,
    gate,
    own_redis,
    start_backup,
    state,
    until,
    workers,
)
from tests.support.s3client import s3_client
from tests.support.service import expire
from worker import tasks
from worker.engine.instances.config import CommandConfig, InstanceConfig
from worker.reaper import reap
from worker.restarting import left_stopped

__all__ = ["gate", "own_redis", "workers"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_a_hint_makes_it_run_the_job(service_on_s3, workers):
    workers()
    job = start_backup()
    until(lambda: state(job) == State.SUCCEEDED)
    assert PartSeen.objects.alive().filter(part="worker").count() == 1


def test_a_job_queued_before_the_worker_came_is_run(service_on_s3, workers):
    job = start_backup()
    workers()
    until(lambda: state(job) == State.SUCCEEDED)


@pytest.mark.row(4)
@pytest.mark.parametrize("whom", [Worker.signal_main, Worker.signal_group])
def test_on_sigterm_the_job_drains_and_the_next_worker_runs_it(workers, settings, gate, whom):
    worker, job = caught_in_the_middle(workers, settings, gate)
    whom(worker, signal.SIGTERM)
    sleep(1)
    gate.set()
    assert worker.end() == 0
    assert (state(job), Job.objects.get().error_code) == (State.LOST, "DRAINED")
    assert not PartSeen.objects.alive().exists()
    reap(settings.TARKEEP)
    again = Job.objects.get(retry_of=job)
    workers()
    tasks.send_hint(str(again.pk))
    until(lambda: state(again) == State.SUCCEEDED)


@pytest.mark.row(2)
def test_a_killed_worker_leaves_a_job_that_is_lost_and_run_again(workers, settings, gate):
    worker, job = caught_in_the_middle(workers, settings, gate)
    worker.kill()
    gate.set()
    assert state(job) == State.RUNNING
    expire(Job.objects.get())
    reap(settings.TARKEEP)
    assert state(job) == State.LOST
    again = Job.objects.get(retry_of=job)
    Job.objects.filter(pk=again.pk).update(not_before=None)
    workers()
    tasks.send_hint(str(again.pk))
    until(lambda: state(again) == State.SUCCEEDED)
    s3, bucket = s3_client(settings.TARKEEP.storage), settings.TARKEEP.storage.bucket
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_job_outlives_redis(settings, gate, own_redis):
    fill(settings)
    env = environment(settings.TARKEEP, redis_url=own_redis.url)
    worker, job = Worker.start(env), start_backup()
    try:
        assert gate.reached.wait(SLOW)
        own_redis.stop()
        sleep(3)
        gate.set()
        until(lambda: state(job) == State.SUCCEEDED)
    finally:
        worker.kill()


@pytest.mark.row(26)
def test_a_running_job_is_cancelled_within_seconds(workers, settings, gate):
    _, job = caught_in_the_middle(workers, settings, gate)
    services.cancel_job(job)
    sleep(2)
    gate.set()
    until(lambda: state(job) == State.CANCELLED)


@pytest.mark.row(6)
def test_a_worker_that_slept_past_its_lease_publishes_nothing(workers, settings, gate):
    worker, job = caught_in_the_middle(workers, settings, gate)
    worker.signal_group(signal.SIGSTOP)
    expire(Job.objects.get())
    reap(settings.TARKEEP)
    gate.set()
    worker.signal_group(signal.SIGCONT)
    log = settings.TARKEEP.plan.temp_dir / "logs" / "app.log"
    until(lambda: "no longer its own" in log.read_text())
    assert state(job) == State.LOST
    s3, bucket = s3_client(settings.TARKEEP.storage), settings.TARKEEP.storage.bucket
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    assert not [key for key in keys if key.endswith((".tar.gz", ".metadata.json"))]


@pytest.fixture
def application(settings, service_on_s3, tmp_path):
    """An application that a run stops and starts, as the variables for a worker say it.

    The file `running` exists while it runs.
    """
    running = tmp_path / "running"
    running.touch()
    command = CommandConfig(
        stop=("rm", str(running)),
        start=("touch", str(running)),
        status=("test", "-e", str(running)),
    )
    instances = InstanceConfig(drivers=("command",), command=command)
    plan = replace(service_on_s3.plan, stop_instances=True, instances=instances)
    settings.TARKEEP = replace(service_on_s3, plan=plan)
    return running, {
        "BACKUP_STOP_INSTANCES": "true",
        "BACKUP_INSTANCE_DRIVER": "command",
        "BACKUP_INSTANCE_STOP_COMMAND": f"rm {running}",
        "BACKUP_INSTANCE_START_COMMAND": f"touch {running}",
        "BACKUP_INSTANCE_STATUS_COMMAND": f"test -e {running}",
    }


@pytest.fixture
def control(settings):
    """Starts a control worker that reaches no Redis."""
    started = []

    def start(**more):
        env = environment(settings.TARKEEP, redis_url="redis://127.0.0.1:9/0")
        started.append(Worker.start(env | more, CONTROL))

    yield start
    for worker in started:
        worker.kill()


@pytest.mark.parametrize("point", ["instances.noted", "instances.stopped", "instances.starting"])
def test_row_61_a_worker_killed_while_instances_are_stopped_leaves_none_stopped(
    workers, control, settings, application, point
):
    """Though Redis is gone by then, and with it all that beat says."""
    running, variables = application
    fill(settings)
    job = start_backup()
    workers(**variables, TARKEEP_CRASH_AT=point)
    tasks.send_hint(str(job.pk))
    until(
        lambda: (
            Job.objects.get(pk=job.pk).effects
            and (point == "instances.noted" or not running.exists())
        )
    )
    sleep(1)  # the process is dead by now
    expire(Job.objects.get(pk=job.pk))
    control(**variables)
    until(lambda: running.exists() and not left_stopped(job.pk))
    assert state(job) == State.LOST


def test_a_worker_that_stops_instances_starts_them_before_the_job_ends(
    workers, settings, application
):
    running, variables = application
    job = start_backup()
    workers(**variables)
    tasks.send_hint(str(job.pk))
    until(lambda: state(job) == State.SUCCEEDED)
    assert running.exists()
    assert Job.objects.get(pk=job.pk).result["downtime"] > 0
