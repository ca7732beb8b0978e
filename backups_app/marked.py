"""What the bucket says of damage that the history does not know: found by the command line, by
another machine, or by a service whose database was lost."""

from __future__ import annotations

from django.db import models

from backups_app import proofs
from backups_app.models import Job, Kind, Trigger
from backups_app.states import State
from worker.engine.catalogue import BackupInfo
from worker.engine.damage import read_mark
from worker.engine.storage import Storage

ASKER = "bucket"


def learn(plan: str, storage: Storage, found: list[BackupInfo]) -> None:
    """A failed verification in the history for each mark that it lacks, and none of ours for a
    mark that is gone. `found` are all backups that are listed. `StorageError`.
    """
    known, marked = proofs.damages(plan), {one.key for one in found if one.damaged}
    for key in marked - known.keys():
        _add(plan, storage, key)
    gone = {one.key for one in found} - marked
    _learned(plan).filter(backup_key__in=gone & known.keys()).delete()


def _add(plan: str, storage: Storage, key: str) -> None:
    mark = read_mark(storage, key)
    if mark is None:
        return
    job = Job.objects.create(
        plan=plan,
        kind=Kind.VERIFY,
        trigger=Trigger.IMPORT,
        requested_by=ASKER,
        state=State.FAILED,
        backup_key=key,
        error_code=mark.code,
        error_message=mark.message,
        error_hint="A mark in the bucket says so. Verify this backup to see for yourself.",
    )
    Job.objects.filter(pk=job.pk).update(
        created_at=mark.at, started_at=mark.at, finished_at=mark.at
    )


def _learned(plan: str) -> models.QuerySet[Job]:
    return Job.objects.filter(plan=plan, trigger=Trigger.IMPORT, requested_by=ASKER)
