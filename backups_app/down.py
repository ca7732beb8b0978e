"""Instances that runs have left stopped, by what they wrote down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from backups_app.models import Job
from worker.engine.instances.recorded import Name, failures, still_stopped


@dataclass(frozen=True)
class DownInstance:
    """An instance that a run has left stopped. `message` is why it does not start, if known."""

    name: str
    job: Job
    since: datetime | None
    message: str


def instances_down(plan: str) -> Iterator[DownInstance]:
    """Each once, however many runs have left it stopped."""
    told: set[Name] = set()
    for job in Job.objects.filter(plan=plan, instances_down=True).order_by("finished_at"):
        why = failures(job.effects)
        for name in still_stopped(job.effects):
            if name not in told:
                yield DownInstance(" ".join(name), job, job.finished_at, why.get(name, ""))
            told.add(name)
