"""The states of a job and the moves between them: the only place that knows.

    PENDING ──> RUNNING ──> SUCCEEDED | FAILED | CANCELLED | LOST
       └──────> CANCELLED

A job is born PENDING. One that was due and could not even begin (its slot was missed, the
settings are wrong) is born FAILED, so that the history shows it.
"""

from __future__ import annotations

from typing import Final

from django.db import models


class State(models.TextChoices):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    LOST = "LOST"


MOVES: Final[dict[State, frozenset[State]]] = {
    State.PENDING: frozenset({State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.LOST: frozenset(),
}
ACTIVE: Final = frozenset(state for state, moves in MOVES.items() if moves)
FINAL: Final = frozenset(MOVES) - ACTIVE


def sources(target: State) -> frozenset[State]:
    """The states from which a job may move to `target`: what a conditional UPDATE asks for."""
    return frozenset(state for state, moves in MOVES.items() if target in moves)
