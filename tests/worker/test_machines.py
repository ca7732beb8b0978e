"""Jobs go where the data is: queues, claims and cleaning up by machine, and a limit for all."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from backups_app import hosts, plans, services
from backups_app.models import Host, Job, Kind, Part, PartSeen, Plan
from backups_app.states import State
from tests.support.celeryworker import ROOT, environment
from tests.support.service import KEY, claimed_job, expire, make_job
from worker import dispatch, elsewhere, tasks
from worker.engine.scratch import DRILL
from worker.reaper import reap
from worker.tasks import run_job

pytestmark = pytest.mark.django_db(transaction=True)
QUEUES = ("backup.main", "backup.web2", "control.main", "control.web2")


@pytest.fixture
def queue(redis_url):
    tasks.hints.reset()
    with redis.Redis.from_url(redis_url) as client:
        client.delete(*QUEUES)
        yield client
        client.delete(*QUEUES)


@pytest.fixture
def media(service, tmp_path):
    """A plan of another machine, whose folder lies here for the test's sake."""
    folder = tmp_path / "srv" / "media"
    folder.mkdir(parents=True)
    (folder / "film.bin").write_bytes(b"film")
    plan = Plan(name="media", host="web2", data_dir=str(folder))
    plan.full_clean()
    plan.save()
    return plan


@pytest.fixture
def there(service, tmp_path):
    """The settings of the machine web2, as its own environment gives them."""
    plan = replace(service.plan, temp_dir=tmp_path / "temp-of-web2")
    return replace(service, host="web2", plan=plan)


def seen(part, host):
    PartSeen.objects.mark(f"{part}@{host}", part, host=host)


def lost(**fields):
    job = claimed_job(**fields)
    expire(job)
    return job


def waiting(queue):
    return {name: queue.llen(name) for name in QUEUES if queue.llen(name)}


def test_a_hint_lies_in_the_queue_of_the_machine_with_the_data(service, media, queue):
    services.start_backup(trigger="api", requested_by="test", plan="media")
    services.start_backup(trigger="api", requested_by="test")
    assert waiting(queue) == {"backup.main": 1, "backup.web2": 1}


def test_a_machine_that_is_away_gets_no_hints_again_and_again(service, media, queue):
    job = make_job(plan="media", host="web2")
    dispatch.resend()
    assert waiting(queue) == {}
    seen(Part.WORKER, "web2")
    dispatch.resend()
    assert waiting(queue) == {"backup.web2": 1}
    assert Job.objects.get(pk=job.pk).dispatched_at


def test_no_machine_claims_the_job_of_another(service, media):
    job = make_job(plan="media", host="web2")
    run_job(str(job.pk))
    assert Job.objects.get(pk=job.pk).state == State.PENDING
    assert Job.objects.claim(job.pk, owner="there", host="web2") is not None


def test_the_machine_with_the_data_runs_it_with_the_plans_settings(
    service_on_s3, settings, media, there
):
    settings.TARKEEP = replace(there, storage=service_on_s3.storage)
    job = make_job(plan="media", host="web2")
    run_job(str(job.pk))
    made = Job.objects.get(pk=job.pk)
    assert (made.state, made.error_message) == (State.SUCCEEDED, "")
    assert made.backup_key.startswith("backups/media/")
    assert made.result["dataSize"] == 4


def test_a_job_whose_plan_is_gone_fails_with_its_name(service, settings, there):
    settings.TARKEEP = there
    job = make_job(plan="gone", host="web2")
    run_job(str(job.pk))
    assert Job.objects.get(pk=job.pk).error_code == "PLAN_NOT_FOUND"


def test_a_second_machine_of_the_same_name_leaves_jobs_to_the_first(service, caplog):
    Host.objects.hold("main", "f" * 32)
    PartSeen.objects.mark("backup@first", Part.WORKER, host="main", machine="f" * 32)
    job, dead = make_job(plan="other"), lost()
    run_job(str(job.pk))
    reap(service)
    assert Job.objects.get(pk=job.pk).state == State.PENDING
    assert not Job.objects.get(pk=dead.pk).cleaned_up
    assert "OTHER_HOST" in caplog.text
    PartSeen.objects.leave("backup@first", machine="f" * 32)
    reap(service)
    assert Job.objects.get(pk=dead.pk).cleaned_up


def test_a_limit_holds_over_all_machines(service, media):
    claimed_job(plan="media", host="web2")
    job = make_job()
    assert Job.objects.claim(job.pk, owner="here", at_most=1) is None
    expired = lost(plan="third")
    assert Job.objects.claim(job.pk, owner="here", at_most=2) is not None
    assert Job.objects.get(pk=expired.pk).state == State.RUNNING  # by name only: does not count


def test_a_worker_keeps_to_the_limit_that_is_set(service, settings, media):
    running = claimed_job(plan="media", host="web2")
    settings.TARKEEP = replace(service, max_running=1)
    job = make_job()
    run_job(str(job.pk))
    assert Job.objects.get(pk=job.pk).state == State.PENDING
    running.finish(State.FAILED)
    run_job(str(job.pk))
    assert Job.objects.get(pk=job.pk).state != State.PENDING


def test_workers_that_race_never_run_more_than_the_limit(service, redis_url):
    jobs = [make_job(plan=f"plan-{number}") for number in range(6)]
    program = "import sys, django; django.setup(); from backups_app.models import Job;"
    program += "[Job.objects.claim(one, owner='racer', at_most=2) for one in sys.argv[1:]]"
    command = [sys.executable, "-c", program, *(str(job.pk) for job in jobs)]
    env = environment(service, redis_url=redis_url)
    racers = [subprocess.Popen(command, cwd=ROOT, env=env) for _ in range(4)]
    assert [racer.wait(60) for racer in racers] == [0] * 4
    assert Job.objects.running().count() == 2


def test_any_machine_declares_a_job_lost_its_own_cleans_up(service, media, there):
    left = plans.settings_of("media", there).plan.temp_dir / f"{DRILL}abcdefgh"
    left.mkdir(parents=True)
    effects = [{"effect": "scratch", "path": str(left)}]
    job = lost(plan="media", host="web2", kind=Kind.DRILL, backup_key=KEY, effects=effects)
    reap(service)
    told = Job.objects.get(pk=job.pk)
    assert (told.state, told.cleaned_up, left.exists()) == (State.LOST, False, True)
    reap(there)
    assert Job.objects.get(pk=job.pk).cleaned_up
    assert not left.exists()


def test_a_lost_job_of_another_machine_is_tried_again_there(service, media, there):
    job = lost(plan="media", host="web2")
    reap(service)
    assert Job.objects.count() == 1
    reap(there)
    again = Job.objects.get(retry_of=job)
    assert (again.plan, again.host, again.attempt) == ("media", "web2", 2)


def test_what_beat_says_is_passed_on_to_machines_whose_control_lives(service, settings, queue):
    elsewhere.telling.reset()
    seen(Part.CONTROL, "main")
    seen(Part.CONTROL, "web2")
    PartSeen.objects.create(
        name="old", part=Part.CONTROL, host="web3", since=timezone.now(),
        seen_at=timezone.now() - timedelta(minutes=5),
    )  # fmt: skip
    elsewhere.pass_on("reaper_tick", passed_on=False)
    assert waiting(queue) == {"control.web2": 1}
    elsewhere.pass_on("reaper_tick", passed_on=True)
    settings.TARKEEP = replace(service, host="web2")
    elsewhere.pass_on("reaper_tick", passed_on=False)
    assert waiting(queue) == {"control.web2": 1}
    assert hosts.living(Part.CONTROL) == {"main", "web2"}


def test_a_workers_queues_are_those_of_its_machine():
    program = (
        "from types import SimpleNamespace as N; from worker.app import app, take_own_queues as t;"
        "app.amqp.queues.select(['backup', 'control']); t(instance=N(app=app));"
        "print(*sorted(app.amqp.queues.consume_from))"
    )

    env = os.environ | {"BACKUP_HOST": "web2", "DJANGO_SETTINGS_MODULE": "backup_project.settings"}
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["backup.web2", "control.web2"]
