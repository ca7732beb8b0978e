"""Many processes hear of the same jobs; each job runs once. On both databases."""

import subprocess
import sys

import pytest

from tests.support.own_database import ENV, django, empty_database

__all__ = ["empty_database"]
RACERS = 8
JOBS = 40


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
