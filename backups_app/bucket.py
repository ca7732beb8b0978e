"""Looking into the bucket, and remembering what was seen for those who must not wait for it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from backups_app import head, marked, proofs
from backups_app.models import BucketSummary, BucketTrouble, Job, Kind
from backups_app.models.present import MADE_KEPT
from backups_app.states import State
from worker.engine.archive.strangers import strangers
from worker.engine.catalogue import LATEST, BackupInfo, find_at, find_backup, list_backups
from worker.engine.errors import StorageError
from worker.engine.naming import check_key
from worker.engine.retention import Held, judge
from worker.engine.settings import Settings
from worker.engine.storage import Storage
from worker.engine.storage.s3 import BRIEF, open_storage


def backups(settings: Settings) -> list[BackupInfo]:
    """All backups, newest first, with their metadata. `StorageError` when it cannot be read."""
    try:
        found = list_backups(_open(settings), settings.plan)
    except StorageError as error:
        _note(settings, error)
        raise
    remember(settings, found)
    return found


def newest_made(plan: str, damaged: Collection[str]) -> datetime | None:
    """When the newest backup was made that is no known damage, as far as the bucket was seen.

    A run that has ended since the last look counts too: it is written down after it. One that
    found nothing changed says that the backup it names is as good as one of its own time.
    """
    seen = BucketSummary.objects.filter(plan=plan).first()
    made = (
        [datetime.fromisoformat(at) for key, at in seen.made if key not in damaged] if seen else []
    )
    jobs = Job.objects.filter(plan=plan, kind=Kind.BACKUP, state=State.SUCCEEDED)
    since = jobs.filter(finished_at__gt=seen.looked_at) if seen else jobs
    there = [key for key, _ in seen.made] if seen else []
    same = jobs.filter(result__unchanged=True, backup_key__in=there)
    for found in (since, same):
        job = found.exclude(backup_key__in=damaged).filter(started_at__isnull=False).first()
        made += [job.started_at] if job and job.started_at else []
    return max(made, default=None)


def _open(settings: Settings) -> Storage:
    return open_storage(settings.storage, patience=BRIEF)


def refresh(settings: Settings) -> None:
    """Look anew what there is."""
    backups(settings)


def demand(settings: Settings, key: str) -> None:
    """`ArchiveError` unless the key is one of ours and a backup lies there."""
    find_backup(_open(settings), settings.plan, check_key(settings.plan, key))


def newest(settings: Settings, at: datetime | None) -> str:
    """The key of the newest backup, of all or of those made at that time or before."""
    storage, plan = _open(settings), settings.plan
    return (find_at(storage, plan, at) if at else find_backup(storage, plan, LATEST)).key


def remember(settings: Settings, found: list[BackupInfo]) -> None:
    """What the status tells; `found` with their metadata, newest first."""
    plan, keys = settings.plan.plan, {backup.key for backup in found}
    sizes, storage = [backup.size for backup in found], open_storage(settings.storage)
    marked.learn(plan, storage, found)
    strange = strangers(storage, settings.plan, found)
    judged = judge(found, settings.plan, Held(strange=strange))
    seen = {
        "backups": len(sizes),
        "total_bytes": sum(sizes),
        "latest_bytes": sizes[0] if sizes else 0,
        "retention_halted": judged.halted,
        "halted_code": judged.code,
        "gone": sorted(proofs.damages(plan).keys() - keys),
        "alarm": head.alarm(settings, found),
        "made": [[one.key, one.created.isoformat()] for one in found if one.metadata][:MADE_KEPT],
    }
    BucketSummary.objects.update_or_create(plan=plan, defaults=seen)
    BucketTrouble.objects.filter(plan=plan).delete()


def _note(settings: Settings, error: StorageError) -> None:
    """Since when it cannot be read stays as it was."""
    BucketTrouble.objects.update_or_create(plan=settings.plan.plan, defaults=error.as_dict())
