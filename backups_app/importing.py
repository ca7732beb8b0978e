"""From the bucket to the history: the jobs that a lost database would have held.

The bucket is the catalogue, so nothing here is needed to restore; it gives people their list of
past backups back, and lets the newest one be watched again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from backups_app import bucket
from backups_app.models import Job, Kind, Trigger
from backups_app.states import State
from worker.engine.archive.key_check import check_key_fits
from worker.engine.catalogue import BackupInfo
from worker.engine.errors import ArchiveError
from worker.engine.settings import Settings, require
from worker.engine.storage.s3 import open_storage


@dataclass(frozen=True)
class Imported:
    """What was found. `troubles` are (key, what is wrong) of backups that cannot be opened."""

    backups: int
    added: int
    bytes: int
    newest: str
    troubles: tuple[tuple[str, str], ...]


def import_catalogue(settings: Settings) -> Imported:
    """Add a job for each backup that the history does not know.

    Raises `ConfigError`, `StorageError`. Runs again without harm.
    """
    require(settings)
    found = bucket.backups(settings)
    added = sum(_add(settings, one) for one in reversed(found))
    bucket.remember(settings, found)
    return Imported(
        backups=len(found),
        added=added,
        bytes=sum(one.size for one in found),
        newest=found[0].key if found else "",
        troubles=tuple(_troubles(settings, found)),
    )


def _add(settings: Settings, one: BackupInfo) -> bool:
    """False when the history has it already."""
    plan = settings.plan.plan
    known = Job.objects.filter(plan=plan, kind=Kind.BACKUP, backup_key=one.key)
    with transaction.atomic():
        if known.filter(state=State.SUCCEEDED).exists():
            return False
        job = Job.objects.create(
            plan=plan,
            kind=Kind.BACKUP,
            trigger=Trigger.IMPORT,
            requested_by="import_catalogue",
            state=State.SUCCEEDED,
            backup_key=one.key,
            result=_result(settings, one),
        )
        seconds = (one.metadata and one.metadata.duration_seconds) or 0
        ended = one.created + timedelta(seconds=seconds)
        Job.objects.filter(pk=job.pk).update(
            created_at=one.created, started_at=one.created, finished_at=ended
        )
    return True


def _result(settings: Settings, one: BackupInfo) -> dict[str, object]:
    """As the run itself would have recorded it, as far as the metadata tells."""
    result: dict[str, object] = {
        "imported": True,
        "bucket": settings.storage.bucket,
        "size": one.size,
    }
    if one.metadata is not None:
        made = one.metadata
        told = {
            "dataSize": made.data_size,
            "files": made.file_count,
            "checksum": made.checksum,
            "encrypted": made.encrypted,
            "downtime": made.downtime_seconds,
        }
        result |= {name: value for name, value in told.items() if value is not None}
    return result


def _troubles(settings: Settings, found: list[BackupInfo]) -> list[tuple[str, str]]:
    storage = open_storage(settings.storage)
    troubles = []
    for one in found:
        try:
            check_key_fits(storage, settings.plan, one)
        except ArchiveError as error:
            troubles.append((one.key, f"{error.message} {error.hint}"))
    return troubles
