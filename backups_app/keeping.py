"""What is kept in the bucket: retention as the service sees it, pins, confirmations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from backups_app import bucket, proofs
from backups_app.models import Job
from worker.engine import janitor, marks, retention
from worker.engine.archive.strangers import strangers
from worker.engine.errors import EngineError
from worker.engine.naming import check_key
from worker.engine.progress import Progress
from worker.engine.retention import Held, Judgement, judge
from worker.engine.settings import Settings, require
from worker.engine.storage import Storage
from worker.engine.storage.s3 import BRIEF, open_storage


def held(plan: str) -> Held:
    """What the database knows of: the last backup read back whole, those in use, damaged ones."""
    active = Job.objects.active().filter(plan=plan).exclude(backup_key="")
    known = proofs.records(plan)
    return Held(
        verified=proofs.newest_proof(known),
        in_use=frozenset(active.values_list("backup_key", flat=True)),
        damaged=frozenset(key for key, record in known.items() if record.damaged),
    )


def preview(settings: Settings) -> Judgement:
    """What stays and what would go now, and why. `ConfigError`, `StorageError`."""
    require(settings)
    backups, plan = bucket.backups(settings), settings.plan
    strange = strangers(_open(settings), plan, backups)
    return judge(backups, plan, replace(held(plan.plan), strange=strange))


def set_pin(settings: Settings, key: str, *, pinned: bool, at: datetime, by: str) -> str:
    """Pin or unpin; the key. `ArchiveError` when there is no such backup."""
    require(settings)
    storage = _open(settings)
    if pinned:
        return marks.pin(storage, settings.plan, key, at=at, by=by)
    return marks.unpin(storage, settings.plan, key)


def confirm(settings: Settings, *, at: datetime, by: str) -> str:
    """The newest backup is right though it shrank, or its key is another; its key.

    Old ones go after the next backup.
    """
    require(settings)
    key = marks.confirm(_open(settings), settings.plan, at=at, by=by)
    bucket.refresh(settings)
    return key


class Kept(EngineError):
    """The backup may not be deleted as it is."""

    default_code = "BACKUP_KEPT"


def delete(settings: Settings, key: str) -> str:
    """Delete one backup for good; its key.

    `Kept` for the newest one and one that is pinned; `ArchiveError` when there is none.
    """
    found = bucket.backups(settings)
    one = next((backup for backup in found if backup.key == check_key(settings.plan, key)), None)
    if one is None:
        bucket.demand(settings, key)  # archives without metadata are not listed, and not ours to go
        raise Kept("An archive without metadata is not deleted", hint="Delete it in the bucket.")
    if one.key == found[0].key:
        raise Kept("The newest backup is never deleted", hint="Make a new one first.")
    if one.pinned:
        raise Kept("The backup is pinned", hint="Take the pin away first.")
    retention.delete_backup(_open(settings), one.key)
    bucket.refresh(settings)
    return one.key


def prune(settings: Settings) -> tuple[Judgement, list[str]]:
    """Delete what retention does not keep: how it judged, and the keys that went."""
    judgement = preview(settings)
    deleted = retention.carry_out(_open(settings), judgement, Progress())
    if deleted:
        bucket.refresh(settings)
    return judgement, deleted


def tidy(settings: Settings, *, now: datetime, dry_run: bool = False) -> janitor.Tidied:
    """Clear leftovers away, but nothing that a job at work may still want."""
    active = list(Job.objects.active().filter(plan=settings.plan.plan))
    effects = [effect for job in active for effect in job.effects]
    return janitor.tidy(
        _open(settings),
        settings.plan,
        now=now,
        living_jobs={str(job.pk) for job in active},
        living_uploads={one["uploadId"] for one in effects if one["effect"] == "upload"},
        dry_run=dry_run,
    )


def _open(settings: Settings) -> Storage:
    return open_storage(settings.storage, patience=BRIEF)
