"""Rows 1 to 29 of the fault matrix that need a worker, a queue or a clock of their own."""

import os
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest
import redis

from backups_app import ready
from backups_app.models import Job, ScheduleClock
from backups_app.states import State
from launcher.valkey import start_valkey
from tests.support.celeryworker import Worker, environment
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
from tests.support.service import expire, make_job
from tests.support.tcp_proxy import TcpProxy
from worker import slots, tasks
from worker.app import TRANSPORT, app
from worker.engine.backup import run_backup
from worker.engine.catalogue import list_backups
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage
from worker.reaper import reap
from worker.tasks import run_job

__all__ = ["gate", "own_redis", "workers"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def at(settings):
    """Starts a worker that takes its hints from the given Redis."""
    started = []

    def start(url):
        started.append(Worker.start(environment(settings.TARKEEP, redis_url=url)))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()


def in_the_end(condition):
    """A hint that got lost is sent again after a minute, and workers look every 15 seconds."""
    end = monotonic() + 3 * SLOW
    while not condition():
        assert monotonic() < end, list(Job.objects.values("state", "error_message"))
        sleep(0.2)


@pytest.mark.invariant("I1", "I6")
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_row_5_a_second_signal_neither_doubles_nor_breaks_the_drain(
    workers, settings, gate, second
):
    worker, job = caught_in_the_middle(workers, settings, gate)
    worker.signal_main(signal.SIGTERM)
    sleep(1)
    worker.signal_main(second)
    gate.set()
    assert worker.end() == 0
    assert state(job) in (State.LOST, State.RUNNING)  # drained, or cut off: then its lease ends
    expire(Job.objects.get(pk=job.pk))
    reap(settings.TARKEEP)
    assert Job.objects.filter(retry_of=job).count() == 1
    assert Job.objects.get(pk=job.pk).cleaned_up


def test_row_7_the_same_hint_ten_times_is_one_run(service_on_s3, workers):
    job = make_job()
    for _ in range(10):
        assert tasks.send_hint(str(job.pk))
    workers()
    until(lambda: state(job) == State.SUCCEEDED)
    with redis.Redis.from_url(app.conf.broker_write_url or app.conf.broker_url) as client:
        until(lambda: client.llen("backup.main") == 0)
    run_job(str(job.pk))
    assert len(list_backups(open_storage(service_on_s3.storage), service_on_s3.plan)) == 1
    assert Job.objects.get().fence == job.fence + 1


def test_row_8_a_hint_that_redis_delivers_again_runs_its_job_once(service_on_s3, workers):
    """Whoever took it first died before he acknowledged it: Redis puts it back, again and again."""
    job = make_job()
    assert tasks.send_hint(str(job.pk))
    impatient = {**TRANSPORT, "visibility_timeout": 1}
    with app.connection_for_read(transport_options=impatient) as dead:
        queue = dead.SimpleQueue("backup.main")
        queue.get(timeout=10)
        put_back(queue)
        workers()
        until(lambda: state(job) == State.SUCCEEDED)
        assert tasks.send_hint(str(job.pk))
        put_back(queue)
    with redis.Redis.from_url(app.conf.broker_write_url or app.conf.broker_url) as client:
        until(lambda: client.llen("backup.main") == 0)
    done = Job.objects.get()
    assert (done.state, done.fence) == (State.SUCCEEDED, job.fence + 1)
    assert len(list_backups(open_storage(service_on_s3.storage), service_on_s3.plan)) == 1


def put_back(queue):
    """What each consumer does now and then with messages that nobody has acknowledged in time."""
    sleep(1.1)
    queue.channel.qos.restore_visible(interval=1)


@pytest.mark.row(1, 2, 7)
@pytest.mark.invariant("I1", "I2", "I7")
def test_of_two_workers_one_runs_the_job_and_the_other_goes_on_when_it_dies(
    workers, settings, gate
):
    fill(settings)
    both = [workers(name=name) for name in ("one", "two")]
    job = start_backup()
    assert gate.reached.wait(SLOW)
    until(lambda: Job.objects.get(pk=job.pk).effects)
    for _ in range(5):
        assert tasks.send_hint(str(job.pk))
    runs = Job.objects.get(pk=job.pk)
    dying = os.getpgid(int(runs.owner.rpartition(":")[2]))
    next(one for one in both if one.process.pid == dying).kill()
    gate.set()
    assert Job.objects.get().fence == runs.fence  # nobody else has begun it
    expire(runs)
    reap(settings.TARKEEP)
    again = Job.objects.get(retry_of=job)
    until(lambda: state(again) == State.SUCCEEDED)
    assert os.getpgid(int(Job.objects.get(pk=again.pk).owner.rpartition(":")[2])) != dying
    made = list_backups(open_storage(settings.TARKEEP.storage), settings.TARKEEP.plan)
    assert [one.key for one in made] == [Job.objects.get(pk=again.pk).backup_key]


def test_row_10_a_job_survives_the_death_of_redis_with_all_it_knew(service_on_s3, own_redis, at):
    job = start_backup()
    with redis.Redis.from_url(own_redis.url) as client:
        assert client.llen("backup.main") == 1
        client.flushall()  # as after a crash without a file
    Job.objects.update(dispatched_at=datetime.now(UTC) - timedelta(minutes=2))
    at(own_redis.url)  # looks into the database by itself
    until(lambda: state(job) == State.SUCCEEDED)


def test_row_11_a_worker_on_a_half_open_connection_takes_hints_again(service_on_s3, own_redis, at):
    address = urlsplit(own_redis.url)
    proxy = TcpProxy(("127.0.0.1", address.port))
    try:
        at(own_redis.url.replace(f":{address.port}/", f":{proxy.port}/"))
        first = start_backup()
        until(lambda: state(first) == State.SUCCEEDED)
        proxy.freeze()
        frozen = monotonic()
        second = start_backup()
        in_the_end(lambda: state(second) == State.SUCCEEDED)
        print(f"half open: the next job had ended after {monotonic() - frozen:.1f} s")
    finally:
        proxy.stop()


def test_row_13_redis_emptied_while_a_job_runs_costs_nothing(settings, gate, own_redis, at):
    fill(settings)
    at(own_redis.url)
    job = start_backup()
    assert gate.reached.wait(SLOW)
    with redis.Redis.from_url(own_redis.url) as client:
        client.flushall()
    gate.set()
    until(lambda: state(job) == State.SUCCEEDED)
    listed = list_backups(open_storage(settings.TARKEEP.storage), settings.TARKEEP.plan)
    assert [one.key for one in listed] == [Job.objects.get().backup_key]


@pytest.mark.parametrize("wrong", ["password", "name"])
def test_row_14_a_redis_that_cannot_be_used_keeps_nobody_waiting(
    service_on_s3, own_redis, monkeypatch, wrong
):
    port = urlsplit(own_redis.url).port
    url = f"redis://:wrong@127.0.0.1:{port}/0" if wrong == "password" else "redis://no.invalid/0"
    monkeypatch.setattr(app.conf, "broker_write_url", url)
    job = start_backup()
    assert state(job) == State.PENDING
    tasks.hints.reset()
    assert not tasks.send_hint(str(job.pk))
    wrong = ready.examine(replace(service_on_s3, redis_url=url))
    assert wrong["redis"] in ("AuthenticationError", "ConnectionError")
    assert not wrong["s3"]


def test_row_18_a_clock_that_jumps_starts_no_storm_and_deletes_nothing(service_on_s3, settings):
    service = replace(service_on_s3, enabled=True)
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for moment in (now, now - timedelta(hours=2), now + timedelta(days=365), now):
        slots.run_due(service, moment)
    assert Job.objects.filter(state=State.PENDING).count() <= 1
    assert ScheduleClock.objects.count() >= 1
    storage = open_storage(service.storage)
    plan = replace(service.plan, max_backups=2)
    for moment in (now, now + timedelta(days=365), now - timedelta(hours=2)):
        run_backup(plan, storage, Progress(), now=moment)
    kept = {one.key for one in list_backups(storage, plan)}
    assert len(kept) >= 2
    assert any("2027-03-01" in key for key in kept)


@pytest.mark.row(1)
def test_row_29_the_death_of_a_jobs_process_alone_is_found_and_made_good(workers, settings, gate):
    """As the kernel kills for memory: the pool's process dies, the worker stays."""
    worker, job = caught_in_the_middle(workers, settings, gate)
    pid = int(Job.objects.get(pk=job.pk).owner.rpartition(":")[2])
    assert pid != worker.process.pid
    os.kill(pid, signal.SIGKILL)
    gate.set()
    expire(Job.objects.get(pk=job.pk))
    reap(settings.TARKEEP)
    assert state(job) == State.LOST
    again = Job.objects.get(retry_of=job)
    Job.objects.filter(pk=again.pk).update(not_before=None)
    tasks.send_hint(str(again.pk))
    until(lambda: state(again) == State.SUCCEEDED)  # by the same worker


def test_row_9_a_job_asked_for_without_redis_runs_when_it_is_back(
    service_on_s3, own_redis, at, tmp_path
):
    at(own_redis.url)
    own_redis.stop()
    job = start_backup()
    assert state(job) == State.PENDING
    again = start_valkey(tmp_path / "valkey")  # on the same port
    try:
        in_the_end(lambda: state(job) == State.SUCCEEDED)
    finally:
        again.stop()
