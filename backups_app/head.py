"""The newest backup, as the history has it, against the bucket.

Who can write to the bucket can delete the newest backup, or put an older one in its place, and
every remaining backup would still be sound. The database knows what we made last.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from backups_app.models import Job, Kind
from backups_app.models.job_query import JobQuerySet
from backups_app.states import State
from worker.engine.catalogue import BackupInfo
from worker.engine.errors import ArchiveError
from worker.engine.naming import parse_key
from worker.engine.settings import Settings

Alarm = dict[str, str]


def alarm(settings: Settings, found: list[BackupInfo]) -> Alarm:
    """`{code, message, hint, backupKey}` when the newest backup is gone or changed, else {}."""
    job = _newest(settings)
    if job is None:
        return {}
    here = next((one for one in found if one.key == job.backup_key), None)
    if here is None:
        return {} if _rotated(settings, job, found) else _gone(job.backup_key)
    return {} if _is_same(job, here) else _changed(job.backup_key)


def demand_same(settings: Settings, backup: BackupInfo) -> None:
    """`ArchiveError` (HEAD_CHANGED) when the history knows another backup under this key."""
    jobs = _made(settings).filter(backup_key=backup.key)
    job = jobs.order_by("-finished_at").first()
    if job and not job.result.get("imported") and not _is_same(job, backup):
        raise ArchiveError(
            f"{PurePosixPath(backup.key).name} is not the backup that Tarkeep made under this name",
            code="HEAD_CHANGED",
            hint="Somebody replaced it in the bucket. Restore another one; if you are sure of it,"
            " `tarkeep restore KEY` does not ask the history.",
        )


def _is_same(job: Job, here: BackupInfo) -> bool:
    checksum = job.result.get("checksum")
    told = here.metadata.checksum if here.metadata and checksum else checksum
    return bool(here.size == job.result.get("size") and told == checksum)


def _newest(settings: Settings) -> Job | None:
    """Of those made with the present bucket, prefix and name."""
    job = _made(settings).order_by("-finished_at").first()
    return job if job and parse_key(settings.plan, job.backup_key) else None


def _made(settings: Settings) -> JobQuerySet:
    return Job.objects.filter(
        plan=settings.plan.plan,
        kind=Kind.BACKUP,
        state=State.SUCCEEDED,
        result__bucket=settings.storage.bucket,
    )


def _rotated(settings: Settings, job: Job, found: list[BackupInfo]) -> bool:
    """Whether so many newer ones are there that it had its time: `tarkeep backup` keeps no
    history, but deletes old backups too."""
    made = parse_key(settings.plan, job.backup_key)
    newer = [one for one in found if made and one.created > made]
    return len(newer) >= settings.plan.max_backups


def _gone(key: str) -> Alarm:
    return {
        "code": "HEAD_MISSING",
        "message": f"The newest backup {PurePosixPath(key).name} is no longer in the bucket, and"
        " Tarkeep did not delete it",
        "hint": "Find out who can write to the bucket and change its keys, then make a new backup.",
        "backupKey": key,
    }


def _changed(key: str) -> Alarm:
    return {
        "code": "HEAD_CHANGED",
        "message": f"The newest backup {PurePosixPath(key).name} is not the one that Tarkeep made",
        "hint": "Somebody replaced it in the bucket: do not restore it. Find out who can write"
        " there and change the bucket's keys, then make a new backup.",
        "backupKey": key,
    }
