"""A job whose process has died is found by whoever shares the machine, without its lease."""

import os
import subprocess
import sys

import pytest

from backups_app.models import Job
from backups_app.states import State
from tests.support.service import claimed_job, make_job
from worker import losing, ownership

pytestmark = pytest.mark.django_db(transaction=True)


def run_by(owner):
    job = claimed_job()
    Job.objects.filter(pk=job.pk).update(owner=owner)
    losing.lose_dead("main")
    return Job.objects.get(pk=job.pk)


def in_the_place_of(pid):
    return f"{ownership.owner().rpartition(':')[0]}:{pid}"


@pytest.mark.row(1, 29)
def test_a_job_whose_process_is_gone_is_lost_at_once():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    job = run_by(in_the_place_of(child.pid))
    assert (job.state, job.error_code) == (State.LOST, "LEASE_LOST")


def test_one_that_is_dead_and_not_buried_counts_as_gone():
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert run_by(in_the_place_of(child.pid)).state == State.LOST
    child.wait()


# Names of their own: the owner's holds its process, and each of pytest's processes is another.
@pytest.mark.parametrize(
    "owner",
    [ownership.owner(), "elsewhere/4026531836:4194304", "old:4194304", ""],
    ids=["alive", "elsewhere", "old", "none"],
)
def test_one_that_lives_or_cannot_be_seen_from_here_is_left_to_its_lease(owner):
    assert run_by(owner).state == State.RUNNING


def test_a_job_that_waits_has_no_process_to_die():
    job = make_job()
    losing.lose_dead("main")
    assert Job.objects.get(pk=job.pk).state == State.PENDING
