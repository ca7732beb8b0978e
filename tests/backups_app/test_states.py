"""The table of moves, whole."""

import itertools

import pytest

from backups_app.states import ACTIVE, FINAL, MOVES, State, sources

ALLOWED = {
    ("PENDING", "RUNNING"),
    ("PENDING", "CANCELLED"),
    ("RUNNING", "SUCCEEDED"),
    ("RUNNING", "FAILED"),
    ("RUNNING", "CANCELLED"),
    ("RUNNING", "LOST"),
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(State, State)))
def test_exactly_the_designed_moves_are_allowed(old, new):
    assert (new in MOVES[old]) == ((old.value, new.value) in ALLOWED)
    assert (old in sources(new)) == ((old.value, new.value) in ALLOWED)


def test_a_job_is_active_until_no_move_is_left():
    assert {State.PENDING, State.RUNNING} == ACTIVE
    assert {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST} == FINAL
