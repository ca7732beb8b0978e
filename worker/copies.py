"""Old safety copies go also while no backup runs, but only after one that went well."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime

from django.db import transaction

from backups_app.models import FolderTrouble, Job, Kind
from backups_app.states import State
from worker.engine.errors import TargetError
from worker.engine.settings import Settings
from worker.engine.swap.copies import Kept, expire

log = logging.getLogger(__name__)


def expire_old(settings: Settings, now: datetime) -> None:
    """Remove what is old enough and was replaced before the last good backup was begun."""
    plan = settings.plan
    jobs = Job.objects.filter(plan=plan.plan)
    good = jobs.filter(kind=Kind.BACKUP, state=State.SUCCEEDED).order_by("-started_at").first()
    if good is None or good.started_at is None or jobs.active().exists():
        return
    try:
        days, last = plan.safety_copy_days, good.started_at
        done = expire(plan.data_dir, now=now, days=days, last_backup=last)
    except TargetError as error:
        log.warning("Old safety copies wait for the next round: %s", error.message)
        return
    for path in done.removed:
        log.info("Removed the old safety copy %s", path)
    _remember(plan.plan, done.kept)


def _remember(plan: str, kept: list[Kept]) -> None:
    """For the alerts: which copies have to stay, and why."""
    rows = [FolderTrouble(plan=plan, **{**asdict(one), "path": str(one.path)}) for one in kept]
    with transaction.atomic():
        FolderTrouble.objects.filter(plan=plan).exclude(path="").delete()
        FolderTrouble.objects.bulk_create(rows)
