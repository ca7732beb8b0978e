"""Rows 1 and 2 of the fault matrix: a killed backup goes on where it was, counted byte by byte.

A real worker on a real bucket is killed when three fifths of the archive are there; the proxy
between the two counts what each attempt sends.
"""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from time import sleep, time

import pytest

from backups_app.models import Job
from backups_app.states import State
from tests.engine.test_reuse import PASSPHRASE
from tests.engine.trees import describe
from tests.support.celeryworker import environment
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.realworker import SLOW, start_backup, state, until, workers
from tests.support.s3client import s3_client
from tests.support.service import expire
from worker import tasks
from worker.engine.backup import run_backup
from worker.engine.config import ReuseConfig
from worker.engine.errors import StorageError
from worker.engine.progress import Progress
from worker.engine.restore_to import run_restore_to
from worker.engine.storage.found_out import record_key
from worker.engine.storage.s3 import Patience, open_storage
from worker.reaper import reap

__all__ = ["workers"]
pytestmark = pytest.mark.django_db(transaction=True)
POINT = "backup.resumed"
MIB = 1024 * 1024
SIZE = 96 * MIB
SLACK = 13 * MIB  # one part that has not come through, and the segment that its border cuts


class Meter:
    """Lets the parts of an upload pass, but no more than `most` bytes."""

    def __init__(self, upstream: str) -> None:
        self.most, self.passed = 3 * SIZE // 5, 0
        self.full = threading.Event()
        self._lock = threading.Lock()
        fault = Fault("PUT", "partNumber", times=10**6, request=self.count)
        self.proxy = FaultProxy(upstream, faults=[fault])

    def count(self, request):
        copied = any(name.lower() == "x-amz-copy-source" for name, _ in request.headers)
        with self._lock:
            here = self.passed + len(request.body) <= self.most
            self.passed += len(request.body) * (here and not copied)
        if not here:
            self.full.set()
            self.proxy._over.wait()
            raise ConnectionError
        return request


@pytest.fixture
def meter(service_on_s3, settings):
    meter = Meter(service_on_s3.storage.endpoint)
    storage = replace(service_on_s3.storage, endpoint=meter.proxy.endpoint)
    settings.TARKEEP = replace(service_on_s3, storage=storage)
    yield meter
    meter.proxy.stop()


def fill(folder):
    """Files of 7 MiB and one of 40, in the order of a scan."""
    for number in range(8):
        (folder / f"file-{number}").write_bytes(os.urandom(7 * MIB))
    (folder / "large.bin").write_bytes(os.urandom(40 * MIB))


def settle(folder):
    """Files must have rested for ten seconds, or their times do not tell later changes."""
    newest = max(path.stat().st_ctime for path in folder.iterdir())
    sleep(max(0.0, newest + 11 - time()))


def restored(settings, tmp_path, key):
    storage = open_storage(settings.TARKEEP.storage)
    plan = settings.TARKEEP.plan
    run_restore_to(plan, storage, Progress(), key=key, target=tmp_path / "out")
    assert describe(tmp_path / "out") == describe(plan.data_dir)


def die(env, folder, point):
    command = [sys.executable, "-m", "tests.faults.dying_job", "backup", str(folder)]
    done = subprocess.run(command, env=env | {"TARKEEP_CRASH_AT": point}, check=False)
    assert done.returncode == -signal.SIGKILL


def test_row_3_a_kill_while_it_takes_over_what_was_sent_costs_nothing_either(
    meter, settings, tmp_path, redis_url
):
    """The object that was made of the first attempt's parts is known again."""
    plan = settings.TARKEEP.plan
    fill(plan.data_dir)
    settle(plan.data_dir)
    meter.most = 10**12
    env = environment(settings.TARKEEP, redis_url=redis_url)
    die(env, tmp_path, "backup.parts-sent")
    before = meter.passed
    die({**env, "DYING_LATER": "1"}, tmp_path, POINT)
    storage = open_storage(settings.TARKEEP.storage)
    made = run_backup(plan, storage, Progress(), now=datetime.now(UTC))
    assert meter.passed < before + SLACK
    restored(settings, tmp_path, made.key)
    archives = [found.key for found in storage.list("") if found.key.endswith(".tar.gz")]
    assert archives == [made.key]


@pytest.mark.parametrize("key", ["", PASSPHRASE], ids=["plain", "encrypted"])
def test_row_1_the_next_attempt_of_a_killed_worker_sends_the_rest_only(
    meter, workers, settings, tmp_path, key
):
    plan = replace(settings.TARKEEP.plan, encryption_key=key or None)
    settings.TARKEEP = replace(settings.TARKEEP, plan=plan)
    fill(plan.data_dir)
    settle(plan.data_dir)
    env = {"BACKUP_ENCRYPTION_KEY": key} if key else {}
    worker, job = workers(**env), start_backup()
    assert meter.full.wait(SLOW)
    worker.kill()
    before, meter.passed, meter.most = meter.passed, 0, 10**12
    expire(Job.objects.get())
    reap(settings.TARKEEP)
    again = Job.objects.get(retry_of=job)
    Job.objects.filter(pk=again.pk).update(not_before=None)
    workers(**env)
    tasks.send_hint(str(again.pk))
    until(lambda: state(again) == State.SUCCEEDED)
    done = Job.objects.get(pk=again.pk)
    print(f"sent {before / MIB:.1f} MiB, then {meter.passed / MIB:.1f} MiB of {SIZE / MIB:.0f}")
    assert before > SIZE // 2
    assert meter.passed < SIZE - before + SLACK
    restored(settings, tmp_path, done.backup_key)
    s3, bucket = s3_client(settings.TARKEEP.storage), settings.TARKEEP.storage.bucket
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    found = {one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    keys = found - {record_key(plan)}
    assert {key.partition(".tar.gz")[0] for key in keys} == {done.backup_key[: -len(".tar.gz")]}


def test_a_network_that_is_gone_for_longer_than_a_run_bears_costs_what_was_under_way(
    meter, settings, tmp_path
):
    plan = replace(settings.TARKEEP.plan, reuse=ReuseConfig(settled=-(10**18)))
    settings.TARKEEP = replace(settings.TARKEEP, plan=plan)
    fill(plan.data_dir)
    short = Patience(attempts=1, seconds=0, connect=3, read=3)
    storage = open_storage(settings.TARKEEP.storage, patience=short)
    with pytest.raises(StorageError) as caught:
        run_backup(plan, storage, Progress(), now=datetime(2026, 1, 2, tzinfo=UTC))
    assert caught.value.code == "STORAGE_UNREACHABLE"
    before, meter.passed, meter.most = meter.passed, 0, 10**12
    made = run_backup(plan, storage, Progress(), now=datetime(2026, 1, 3, tzinfo=UTC))
    assert before > SIZE // 2
    assert meter.passed < SIZE - before + SLACK
    restored(settings, tmp_path, made.key)
    assert list(storage.uploads("")) == []
