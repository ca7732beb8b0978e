"""Three machines on cables of their own: one that is cut off waits, and holds up nobody."""

from datetime import timedelta

import pytest
import redis
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from backups_app import services
from backups_app.models import Job, PartSeen, Plan
from backups_app.states import State
from tests.support.celeryworker import Worker, environment
from tests.support.networks import Network, needs_namespaces
from tests.support.realworker import until
from tests.support.service import BEARER
from worker import tasks
from worker.engine.storage.s3 import open_storage

pytestmark = [pytest.mark.django_db(transaction=True), needs_namespaces]
NAMES = ("alpha", "beta", "gamma")


@pytest.fixture
def networks():
    made = {}
    try:
        for name in NAMES:
            made[name] = Network()
        yield made
    finally:
        for network in made.values():
            network.end()


@pytest.fixture
def machines(service_on_s3, networks, redis_url, tmp_path):
    """A worker on each, and a plan for each one's data."""
    if django_settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        pytest.skip("SQLite is a file, and no cable leads to it")
    tasks.hints.reset()
    with redis.Redis.from_url(redis_url) as client:
        client.delete(*(f"backup.{name}" for name in NAMES))
    workers = [start(service_on_s3, networks[name], name, redis_url, tmp_path) for name in NAMES]
    yield networks
    for worker in workers:
        worker.kill()


def start(service, network, name, redis_url, folder):
    data = folder / name / "data"
    data.mkdir(parents=True)
    (data / "whose").write_text(name)
    plan = Plan(name=f"of-{name}", host=name, data_dir=str(data))
    plan.full_clean()
    plan.save()
    given = environment(service, redis_url=network.through(redis_url))
    given |= {
        "DATABASE_URL": network.through(given["DATABASE_URL"]),
        "BACKUP_S3_ENDPOINT": network.through(service.storage.endpoint),
        "BACKUP_HOST": name,
        "BACKUP_DATA_DIR": str(folder / "nothing"),
        "BACKUP_TEMP_DIR": str(folder / name / "temp"),
        "LOGS_PATH": str(folder / name / "logs"),
    }
    return Worker.start(given, before=network.command)


def trigger(name):
    return services.start_backup(trigger="api", requested_by="test", plan=f"of-{name}")


def ended(*jobs):
    return all(Job.objects.get(pk=job.pk).state == State.SUCCEEDED for job in jobs)


def living():
    return set(PartSeen.objects.alive().values_list("host", flat=True))


def test_one_machine_cut_off_waits_while_others_go_on_and_continues_when_it_is_back(
    service_on_s3, machines
):
    until(lambda: living() == set(NAMES))
    first = [trigger(name) for name in NAMES]
    until(lambda: ended(*first))
    storage = open_storage(service_on_s3.storage)
    made = {name: Job.objects.get(pk=job.pk) for name, job in zip(NAMES, first, strict=True)}
    for name, job in made.items():
        assert job.owner
        assert job.backup_key.startswith(f"backups/of-{name}/")
        assert storage.head(job.backup_key)

    machines["alpha"].unplug()
    away, *others = [trigger(name) for name in NAMES]
    until(lambda: ended(*others))
    assert Job.objects.get(pk=away.pk).state == State.PENDING
    a_minute_ago = timezone.now() - timedelta(minutes=1)
    PartSeen.objects.filter(host="alpha").update(seen_at=a_minute_ago)  # as it soon will be
    told = Client(headers=BEARER).get(f"/api/backup/jobs/{away.pk}").json()
    assert (told["state"], told["waits"]["code"]) == ("PENDING", "WORKER_AWAY")

    machines["alpha"].plug()
    until(lambda: "alpha" in living())
    Job.objects.filter(pk=away.pk).update(dispatched_at=None)  # its hint may be lost
    until(lambda: ended(away))
    assert Job.objects.get(pk=away.pk).result["files"] == made["alpha"].result["files"]
