"""What takes room, and what would: prune and tidy by hand, and a backup that is only counted."""

from __future__ import annotations

from time import monotonic
from typing import Final

from django.utils import timezone

from backups_app import keeping, plans
from backups_app.services import refuse_second
from worker.engine.config import DEFAULT_PLAN
from worker.engine.errors import JobStopped
from worker.engine.janitor import Tidied
from worker.engine.preview import Preview, preview
from worker.engine.progress import Progress
from worker.engine.retention import Judgement
from worker.engine.settings import require

DRY_RUN_SECONDS: Final = 20.0


class Briefly(Progress):
    """Stops what takes longer than an answer may."""

    def __init__(self, seconds: float) -> None:
        self._until = monotonic() + seconds

    def checkpoint(self) -> None:
        if monotonic() > self._until:
            hint = "On the machine with the data folder: tarkeep backup --dry-run"
            raise JobStopped("Counting takes too long", hint=hint, code="DRY_RUN_TOO_LONG")


def prune(plan: str = DEFAULT_PLAN) -> tuple[Judgement, list[str]]:
    """Delete what retention does not keep. `JobActive`: a run may be reading what would go."""
    settings = plans.settings_of(plan)
    require(settings)
    refuse_second(plan)
    return keeping.prune(settings)


def tidy(plan: str = DEFAULT_PLAN, *, dry_run: bool = False) -> Tidied:
    """Clear away what dead runs have left in the bucket, or only say what."""
    settings = plans.settings_of(plan)
    require(settings)
    return keeping.tidy(settings, now=timezone.now(), dry_run=dry_run)


def count(plan: str = DEFAULT_PLAN) -> Preview:
    """What a backup would save. `SourceError`; `JobStopped` after `DRY_RUN_SECONDS`.

    `EngineError` (OTHER_HOST) where the plan's data lies on another machine.
    """
    settings = plans.settings_of(plan)
    plans.demand_here(settings, command="tarkeep backup --dry-run")
    require(settings)
    return preview(settings.plan, Briefly(DRY_RUN_SECONDS))
