"""What a run has left stopped is started again, however the run ended and however long it takes."""

import logging
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from backups_app.models import Job
from backups_app.models.job import MAX_ATTEMPTS
from backups_app.states import State
from backups_app.status import status
from tests.support.service import KEY, claimed_job, expire, finished_job, make_job
from worker import tasks
from worker.engine.instances.config import (
    CommandConfig,
    HookConfig,
    InstanceConfig,
    StopPolicy,
)
from worker.reaper import reap
from worker.restarting import Rounds, left_stopped

pytestmark = pytest.mark.django_db(transaction=True)

# An instance is a file that is there while it runs. It starts unless a file `broken` says no,
# and not before a file `slow` is gone.
START = """
import sys, time
from pathlib import Path
folder, name = Path(sys.argv[1]), sys.argv[2]
while (folder / "slow").exists():
    time.sleep(0.02)
if (folder / f"broken-{name}").exists():
    sys.exit(1)
(folder / name).touch()
"""


@pytest.fixture
def application(settings, service_on_s3, tmp_path):
    """The folder of an application with the instances one and two, which run."""
    folder = tmp_path / "application"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / name).touch()
    command = CommandConfig(
        stop=("rm", f"{folder}/{{id}}"),
        start=(sys.executable, "-c", START, str(folder), "{id}"),
        status=("test", "-e", f"{folder}/{{id}}"),
        ids=("one", "two"),
    )
    policy = StopPolicy(ready_timeout=0.5, pause=0.1)
    instances = InstanceConfig(drivers=("command",), command=command, policy=policy)
    plan = replace(service_on_s3.plan, stop_instances=True, instances=instances)
    settings.TARKEEP = replace(service_on_s3, plan=plan)
    return folder


def stop(folder, *names):
    """As a run does that writes down what it stops, and gets no further."""
    for name in names:
        (folder / name).unlink()
    return [{"effect": "instances", "driver": "command", "ids": list(names)}]


def running(folder):
    return sorted(name for name in ("one", "two") if (folder / name).exists())


def down(settings):
    return [(one.name, one.message) for one in status(settings.TARKEEP).instances_down]


def test_row_60_one_that_does_not_start_is_tried_until_it_does(settings, application, caplog):
    (application / "broken-two").touch()
    job = make_job()
    tasks.run_job(str(job.pk))
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED
    assert "INSTANCES_NOT_STARTED" in [warning["code"] for warning in job.warnings]
    for _ in range(2):
        caplog.clear()
        reap(settings.TARKEEP)
        assert running(application) == ["one"]
        assert [name for name, _ in down(settings)] == ["command two"]
        assert "ended with 1" in down(settings)[0][1]
        assert [r for r in caplog.records if r.levelno == logging.CRITICAL]
    (application / "broken-two").unlink()
    reap(settings.TARKEEP)
    assert running(application) == ["one", "two"]
    assert down(settings) == []
    assert not Job.objects.get().instances_down


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST])
def test_however_the_run_ended_and_however_long_ago(settings, application, state):
    job = finished_job(
        state, effects=stop(application, "one", "two"), instances_down=True, cleaned_up=True
    )
    Job.objects.update(finished_at=timezone.now() - timedelta(days=9))
    reap(settings.TARKEEP)
    assert running(application) == ["one", "two"]
    assert not left_stopped(job.pk)


def test_what_runs_and_was_started_by_the_run_is_left_alone(settings, application):
    tasks.run_job(str(make_job().pk))
    assert Job.objects.get().state == State.SUCCEEDED
    (application / "one").unlink()  # by somebody, afterwards
    reap(settings.TARKEEP)
    assert running(application) == ["two"]


def test_one_that_does_not_start_holds_up_nothing_after_a_death(settings, application):
    job = claimed_job(effects=stop(application, "one", "two"))
    (application / "broken-two").touch()
    expire(job)
    reap(settings.TARKEEP)
    assert running(application) == ["one"]
    assert Job.objects.get(pk=job.pk).cleaned_up
    assert [name for name, _ in down(settings)] == ["command two"]
    again = Job.objects.get(retry_of=job)
    Job.objects.filter(pk=again.pk).update(not_before=None)
    assert Job.objects.claim(again.pk, owner="next")


def test_nothing_is_started_while_another_run_reads_what_it_stopped(settings, application):
    left = finished_job(effects=stop(application, "one"), instances_down=True)
    other = claimed_job(effects=stop(application, "two"))
    reap(settings.TARKEEP)
    assert running(application) == []
    started = {"effect": "instances_started", "driver": "command", "ids": ["two"]}
    Job.objects.filter(pk=other.pk).update(effects=[*other.effects, started])
    reap(settings.TARKEEP)
    assert running(application) == ["one"]
    assert not Job.objects.get(pk=left.pk).instances_down


def test_a_start_that_takes_long_goes_on_while_the_tick_returns(settings, application):
    job = claimed_job(effects=stop(application, "one", "two"))
    job.finish(State.LOST, error_code="LEASE_LOST", instances_down=True)
    (application / "slow").touch()
    rounds = Rounds()
    for _ in range(3):
        rounds.go_on({"default": settings.TARKEEP}, patience=0.05)
    assert running(application) == []
    assert not Job.objects.get(pk=job.pk).cleaned_up
    (application / "slow").unlink()
    rounds.go_on({"default": settings.TARKEEP}, patience=30)
    assert running(application) == ["one", "two"]
    assert not Job.objects.get(pk=job.pk).instances_down


def test_the_next_run_waits_until_a_lost_one_is_cleaned_up(settings, application):
    lost = claimed_job(effects=stop(application, "one"))
    lost.finish(State.LOST, error_code="LEASE_LOST")
    waiting = make_job(dispatched_at=timezone.now())
    assert Job.objects.claim(waiting.pk, owner="early") is None
    reap(settings.TARKEEP)
    assert running(application) == ["one", "two"]
    assert waiting in Job.objects.unhinted()
    assert Job.objects.claim(waiting.pk, owner="next") == waiting


def test_but_not_for_longer_than_a_few_minutes(settings, application):
    lost = claimed_job(effects=[{"effect": "upload", "key": KEY, "uploadId": "u"}])
    lost.finish(State.LOST)
    waiting = make_job()
    assert Job.objects.claim(waiting.pk, owner="early") is None
    Job.objects.filter(pk=lost.pk).update(finished_at=timezone.now() - timedelta(minutes=6))
    assert Job.objects.claim(waiting.pk, owner="next") == waiting


def test_the_hook_for_errors_runs_once_though_cleaning_up_takes_several_rounds(
    settings, service, tmp_path
):
    told = tmp_path / "told"
    note = (sys.executable, "-c", f"open({str(told)!r}, 'a').write('x')")
    hooks = HookConfig(pre=("true",), on_error=note)
    settings.TARKEEP = replace(service, plan=replace(service.plan, hooks=hooks))
    effects = [{"effect": "hooks"}, {"effect": "upload", "key": KEY, "uploadId": "u"}]
    expire(claimed_job(effects=effects, attempt=MAX_ATTEMPTS))  # the last: its upload is aborted
    for _ in range(3):
        reap(settings.TARKEEP)
    assert told.read_text() == "x"
    assert not Job.objects.get().cleaned_up
