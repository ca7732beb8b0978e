"""What a dead run without a database has left: its swap is settled first, then the instances."""

from __future__ import annotations

from worker.engine.config import PlanConfig
from worker.engine.instances.journal import bring_up
from worker.engine.swap.swap import finish_interrupted


def settle(plan: PlanConfig) -> None:
    """Raises `TargetError`: TARGET_BUSY while a restore runs, whose instances stay stopped."""
    finish_interrupted(plan.data_dir)
    bring_up(plan.temp_dir, plan.instances)
