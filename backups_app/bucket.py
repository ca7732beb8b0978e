"""Looking into the bucket, and remembering what was seen for those who must not wait for it."""

from __future__ import annotations

from backups_app.models import BucketSummary
from worker.engine.catalogue import BackupInfo, find_backup, list_backups
from worker.engine.naming import check_key
from worker.engine.settings import Settings
from worker.engine.storage.s3 import open_storage


def backups(settings: Settings) -> list[BackupInfo]:
    """All backups, newest first, with their metadata. `StorageError` when it cannot be read."""
    found = list_backups(open_storage(settings.storage), settings.plan)
    remember(settings.plan.plan, found)
    return found


def refresh(settings: Settings) -> None:
    """Count the backups anew, without reading each one's metadata."""
    storage = open_storage(settings.storage)
    remember(settings.plan.plan, list_backups(storage, settings.plan, with_metadata=False))


def demand(settings: Settings, key: str) -> None:
    """`ArchiveError` unless the key is one of ours and a backup lies there."""
    find_backup(open_storage(settings.storage), settings.plan, check_key(settings.plan, key))


def remember(plan: str, found: list[BackupInfo]) -> None:
    sizes = [backup.size for backup in found]
    seen = {
        "backups": len(sizes),
        "total_bytes": sum(sizes),
        "latest_bytes": sizes[0] if sizes else 0,
    }
    BucketSummary.objects.update_or_create(plan=plan, defaults=seen)
