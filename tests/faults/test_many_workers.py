"""Twenty workers on two machines that share one database, one Redis and one bucket."""

from collections import defaultdict
from itertools import pairwise

import pytest
import redis
from django.conf import settings as django_settings

from backups_app import plans as all_plans
from backups_app import services
from backups_app.models import Job, Plan
from backups_app.states import State
from tests.support.celeryworker import JOBS, Worker, environment
from tests.support.realworker import until
from worker import tasks
from worker.engine.catalogue import list_backups
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage
from worker.engine.verify import run_verify

pytestmark = pytest.mark.django_db(transaction=True)
HOSTS = ("alpha", "beta")
GROUPS, EACH = 2, 5  # on each machine: ten processes that take jobs, in two workers
PLANS = 6  # of each machine
ROUNDS = 3
SLOW = 180


@pytest.fixture
def plans(service_on_s3, tmp_path):
    made = []
    for host in HOSTS:
        for number in range(PLANS):
            data = tmp_path / host / f"data-{number}"
            data.mkdir(parents=True)
            (data / "whose").write_text(f"{host} {number}")
            plan = Plan(name=f"{host}-{number}", host=host, data_dir=str(data))
            plan.full_clean()
            plan.save()
            made.append(plan)
    return made


@pytest.fixture
def twenty(service_on_s3, plans, redis_url, tmp_path):
    if django_settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        pytest.skip("SQLite is a file, and machines do not share one")
    tasks.hints.reset()
    with redis.Redis.from_url(redis_url) as client:
        client.delete(*(f"backup.{host}" for host in HOSTS))
    started = []
    try:
        for host in HOSTS:
            for group in range(GROUPS):
                name = f"{host}-{group}"
                given = environment(service_on_s3, redis_url=redis_url) | {
                    "BACKUP_HOST": host,
                    "BACKUP_DATA_DIR": str(tmp_path / "nothing"),
                    "BACKUP_TEMP_DIR": str(tmp_path / host / "temp"),
                    "LOGS_PATH": str(tmp_path / host / "logs"),
                }
                options = JOBS.replace("-c 1", f"-c {EACH}").replace("jobs@", f"{name}@")
                started.append(Worker.start(given, options))
        yield started
    finally:
        for worker in started:
            worker.kill()


@pytest.mark.invariant("I1", "I3")
@pytest.mark.row(7, 19)
def test_twenty_workers_on_two_machines_run_each_job_once(service_on_s3, plans, twenty):
    for _ in range(ROUNDS):
        jobs = [
            services.start_backup(trigger="api", requested_by="test", plan=one.name)
            for one in plans
        ]
        for job in jobs:  # everybody hears of everything, many times
            for _ in range(EACH):
                assert tasks.send_hint(str(job.pk), job.host)
        until(lambda made=jobs: all_ended(made), seconds=SLOW)
    assert Job.objects.count() == ROUNDS * len(plans)
    for plan in plans:
        ran_one_after_another(plan)
        in_the_bucket(service_on_s3, plan)
    assert all(len(processes) > 1 for processes in processes_by_host().values())
    assert all(worker.process.poll() is None for worker in twenty)


def all_ended(jobs):
    states = set(
        Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list("state", flat=True)
    )
    assert states <= {State.PENDING, State.RUNNING, State.SUCCEEDED}
    return states == {State.SUCCEEDED}


def ran_one_after_another(plan):
    """I1, and each claimed once: the fence counts the claims."""
    ran = list(Job.objects.filter(plan=plan.name).order_by("fence"))
    assert [job.fence for job in ran] == list(range(1, ROUNDS + 1))
    assert all(before.finished_at <= after.started_at for before, after in pairwise(ran))


def in_the_bucket(service, plan):
    storage = open_storage(service.storage)
    of_plan = all_plans.settings_of(plan.name).plan
    listed = {one.key for one in list_backups(storage, of_plan)}
    assert listed == set(Job.objects.filter(plan=plan.name).values_list("backup_key", flat=True))
    run_verify(of_plan, storage, Progress(), key=max(listed))


def processes_by_host():
    found = defaultdict(set)
    for job in Job.objects.all():
        found[job.host].add(job.owner)
    return found
