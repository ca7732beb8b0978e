"""Jobs of a real worker that are met in the middle: at a gate that holds their uploads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import monotonic, sleep
from typing import Any

import pytest
import redis

from backups_app import events, services
from backups_app.models import Job, Trigger
from launcher.valkey import start_valkey
from tests.support.celeryworker import JOBS, Worker, environment
from tests.support.fault_proxy import Fault, FaultProxy, Request
from worker import tasks
from worker.app import app
from worker.engine.settings import Settings

SLOW = 60


class Gate:
    """Closed at first. `reached` is set when a request waits; `proxy` stands before the bucket."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.opened, self.reached = threading.Event(), threading.Event()

    def hold(self, request: Request) -> Request:
        self.reached.set()
        self.opened.wait(SLOW)
        return request

    def set(self) -> None:
        self.opened.set()


@pytest.fixture
def gate(service_on_s3: Settings, settings: Any) -> Iterator[Gate]:
    """Parts of uploads wait here: a job can be met in the middle."""
    gate = Gate(FaultProxy(service_on_s3.storage.endpoint))
    gate.proxy.faults = [Fault("PUT", "partNumber", times=10**6, request=gate.hold)]
    storage = replace(service_on_s3.storage, endpoint=gate.proxy.endpoint)
    settings.TARKEEP = replace(service_on_s3, storage=storage)
    yield gate
    gate.set()
    gate.proxy.stop()


@pytest.fixture
def workers(settings: Any, service: Settings, redis_url: str) -> Iterator[Callable[..., Worker]]:
    """Starts workers; none is left over."""
    tasks.hints.reset()
    with redis.Redis.from_url(redis_url) as client:
        client.delete("backup.main")
    started: list[Worker] = []

    def start(*, name: str = "jobs", **more: str) -> Worker:
        env = environment(settings.TARKEEP, redis_url=redis_url)
        started.append(Worker.start(env | more, JOBS.replace("jobs@", f"{name}@")))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture
def own_redis(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Redis that a test may kill, and that hints are sent to."""
    server = start_valkey(tmp_path / "valkey")
    monkeypatch.setattr(app.conf, "broker_write_url", server.url)
    tasks.hints.reset()
    yield server
    server.stop()
    tasks.hints.reset()
    events.breaker.reset()


def start_backup() -> Job:
    return services.start_backup(trigger=Trigger.API, requested_by="test")


def until(condition: Callable[[], Any], *, seconds: float = SLOW) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, list(Job.objects.values("state", "phase", "error_message"))
        sleep(0.1)


def state(job: Job) -> str:
    return Job.objects.get(pk=job.pk).state


def fill(settings: Any) -> None:
    (settings.TARKEEP.plan.data_dir / "large.bin").write_bytes(os.urandom(48 * 1024 * 1024))


def caught_in_the_middle(
    workers: Callable[..., Worker], settings: Any, gate: Gate, **more: str
) -> tuple[Worker, Job]:
    """A worker whose job waits at the gate, and the job."""
    fill(settings)
    worker, job = workers(**more), start_backup()
    assert gate.reached.wait(SLOW)
    until(lambda: Job.objects.get(pk=job.pk).effects)
    return worker, job
