"""Old safety copies go by the clock too, but never unless a backup went well since."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backups_app.states import State
from tests.support.service import claimed_job, finished_job
from worker import periodic
from worker.chores import chores
from worker.engine.swap.site import look

pytestmark = pytest.mark.django_db(transaction=True)  # ticks work in threads


@pytest.fixture
def old_copy(service):
    copy = look(service.plan.data_dir).safety_copy(timezone.now() - timedelta(days=8))
    copy.mkdir()
    return copy


def test_an_old_one_goes_once_a_backup_went_well(service, old_copy):
    finished_job()
    periodic.copies_tick()
    chores.wait()
    assert not old_copy.exists()


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.LOST])
def test_a_backup_that_did_not_go_well_lets_it_be(service, old_copy, state):
    finished_job(state)
    periodic.copies_tick()
    chores.wait()
    assert old_copy.exists()


def test_while_a_job_is_active_it_stays(service, old_copy):
    finished_job()
    claimed_job()
    periodic.copies_tick()
    chores.wait()
    assert old_copy.exists()
