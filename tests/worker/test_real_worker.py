"""A real Celery worker: takes hints from Redis, drains on SIGTERM, and may die at any time."""

import os
import signal
import threading
from dataclasses import replace
from time import monotonic, sleep

import pytest
import redis

from backups_app import events, services
from backups_app.models import Job, WorkerSeen
from backups_app.states import State
from launcher.valkey import start_valkey
from tests.support.celeryworker import Worker, environment
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.s3client import s3_client
from tests.support.service import expire
from worker import tasks
from worker.app import app
from worker.engine.instances.config import CommandConfig, InstanceConfig
from worker.reaper import reap

pytestmark = pytest.mark.django_db(transaction=True)
SLOW = 60


@pytest.fixture
def gate(service_on_s3, settings):
    """Uploads wait at this gate, closed at first: a job can be met in the middle."""
    opened, reached = threading.Event(), threading.Event()

    def hold(request):
        reached.set()
        opened.wait(SLOW)
        return request

    held = Fault("PUT", "partNumber", times=10**6, request=hold)
    proxy = FaultProxy(service_on_s3.storage.endpoint, [held])
    storage = replace(service_on_s3.storage, endpoint=proxy.endpoint)
    settings.TARKEEP = replace(service_on_s3, storage=storage)
    opened.reached = reached
    yield opened
    opened.set()
    proxy.stop()


@pytest.fixture
def workers(settings, service, redis_url):
    """Starts workers; none is left over."""
    tasks.hints.reset()
    with redis.Redis.from_url(redis_url) as client:
        client.delete("backup")
    started = []

    def start(**more):
        env = environment(settings.TARKEEP, redis_url=redis_url)
        started.append(Worker.start(env | more))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture
def own_redis(tmp_path, settings, monkeypatch):
    """A Redis that a test may kill."""
    server = start_valkey(tmp_path / "valkey")
    monkeypatch.setattr(app.conf, "broker_write_url", server.url)
    yield server
    server.stop()


def start_backup():
    return services.start_backup(trigger="api", requested_by="test")


def until(condition):
    end = monotonic() + SLOW
    while not condition():
        assert monotonic() < end, list(Job.objects.values("state", "phase", "error_message"))
        sleep(0.1)


def state(job):
    return Job.objects.get(pk=job.pk).state


def fill(settings):
    (settings.TARKEEP.plan.data_dir / "large.bin").write_bytes(os.urandom(48 * 1024 * 1024))


def caught_in_the_middle(workers, settings, gate):
    """A worker whose job waits at the gate, and the job."""
    fill(settings)
    worker, job = workers(), start_backup()
    assert gate.reached.wait(SLOW)
    until(lambda: Job.objects.get(pk=job.pk).effects)
    return worker, job


def test_a_hint_makes_it_run_the_job(service_on_s3, workers):
    workers()
    job = start_backup()
    until(lambda: state(job) == State.SUCCEEDED)
    assert WorkerSeen.objects.alive().filter(runs_jobs=True).count() == 1


def test_a_job_queued_before_the_worker_came_is_run(service_on_s3, workers):
    job = start_backup()
    workers()
    until(lambda: state(job) == State.SUCCEEDED)


@pytest.mark.parametrize("whom", [Worker.signal_main, Worker.signal_group])
def test_on_sigterm_the_job_drains_and_the_next_worker_runs_it(workers, settings, gate, whom):
    worker, job = caught_in_the_middle(workers, settings, gate)
    whom(worker, signal.SIGTERM)
    sleep(1)
    gate.set()
    assert worker.end() == 0
    assert (state(job), Job.objects.get().error_code) == (State.LOST, "DRAINED")
    assert not WorkerSeen.objects.exists()
    reap(settings.TARKEEP)
    again = Job.objects.get(retry_of=job)
    workers()
    tasks.send_hint(str(again.pk))
    until(lambda: state(again) == State.SUCCEEDED)


def test_a_killed_worker_leaves_a_job_that_is_lost_and_run_again(workers, settings, gate):
    worker, job = caught_in_the_middle(workers, settings, gate)
    worker.kill()
    gate.set()
    assert state(job) == State.RUNNING
    expire(Job.objects.get())
    reap(settings.TARKEEP)
    assert state(job) == State.LOST
    s3, bucket = s3_client(settings.TARKEEP.storage), settings.TARKEEP.storage.bucket
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    again = Job.objects.get(retry_of=job)
    Job.objects.filter(pk=again.pk).update(not_before=None)
    workers()
    tasks.send_hint(str(again.pk))
    until(lambda: state(again) == State.SUCCEEDED)


def test_a_job_outlives_redis(settings, gate, own_redis):
    fill(settings)
    tasks.hints.reset()
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
        tasks.hints.reset()
        events.breaker.reset()


def test_a_running_job_is_cancelled_within_seconds(workers, settings, gate):
    _, job = caught_in_the_middle(workers, settings, gate)
    services.cancel_job(job)
    sleep(2)
    gate.set()
    until(lambda: state(job) == State.CANCELLED)


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


@pytest.mark.parametrize("point", ["instances.noted", "instances.stopped", "instances.starting"])
def test_row_61_a_worker_killed_while_instances_are_stopped_leaves_none_stopped(
    workers, settings, application, point
):
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
    assert state(job) == State.RUNNING
    expire(Job.objects.get(pk=job.pk))
    reap(settings.TARKEEP)
    assert running.exists()
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
