"""Many processes hear of the same jobs; each job runs once. On both databases."""

import os
import subprocess
import sys
import uuid
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.servers import LOCAL_POSTGRES, _postgres_version

RACERS = 8
JOBS = 40
ENV = {**os.environ, "DJANGO_SETTINGS_MODULE": "backup_project.settings"}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request, tmp_path):
    """The address of a database of that kind, made for this test."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/race.sqlite3"
        return
    server = next((url for url in LOCAL_POSTGRES if _postgres_version(url)), None)
    if server is None:
        pytest.skip("no PostgreSQL answers on this machine")
    name = f"race_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def django(code, database):
    run = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
    env = {**ENV, "DATABASE_URL": database}
    return subprocess.run(run, env=env, check=True, capture_output=True, text=True).stdout


@pytest.mark.invariant("I1")
@pytest.mark.row(19)
def test_eight_processes_claim_each_job_exactly_once(empty_database):
    django("from django.core.management import call_command as c; c('migrate')", empty_database)
    made = django(
        "from backups_app.models import Job\n"
        f"for n in range({JOBS}): print(Job.objects.create(plan=n, kind='backup').pk)",
        empty_database,
    )
    ids = made.split()
    won, errors = race(ids, empty_database)
    assert errors == [""] * RACERS
    assert sorted(won) == sorted(ids)


def race(ids, database):
    racers = [start(database) for _ in range(RACERS)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write(" ".join(ids) + "\n")
        racer.stdin.flush()
    outcomes = [racer.communicate(timeout=120) for racer in racers]
    return [line for out, _ in outcomes for line in out.split()], [err for _, err in outcomes]


def start(database):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-m", "tests.support.claimer"]
    return subprocess.Popen(command, env={**ENV, "DATABASE_URL": database}, text=True, **pipes)
