"""What the history knows about each backup: verified, proven by a drill, or damaged.

The jobs are the record: a verification, drill or restore that failed because of the backup
itself marks it as damaged, until one that reads all of it succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from backups_app.models import CHECKS, Job, Kind
from backups_app.states import State
from worker.engine.catalogue import BackupInfo
from worker.engine.damage import DAMAGE
from worker.engine.errors import ArchiveError

_READING: Final = (*CHECKS, Kind.RESTORE)
_LONG_AGO: Final = float("-inf")


@dataclass(frozen=True)
class Proof:
    """A reading of all of the backup that went well. `seconds` it took, `bytes` of files."""

    backup_key: str
    at: datetime
    seconds: float
    bytes: int
    files: int


@dataclass(frozen=True)
class Damage:
    """What was wrong with the backup, and when that was found."""

    backup_key: str
    at: datetime
    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class Record:
    """Of one backup. A proof may be older than the damage."""

    verified: Proof | None = None
    proven: Proof | None = None
    damaged: Damage | None = None


def records(plan: str) -> dict[str, Record]:
    """By backup key; a backup that nobody ever read has none."""
    return _records(_readings(plan))


def damages(plan: str) -> dict[str, Damage]:
    """By backup key, without a look at those that nobody ever found anything wrong with."""
    readings = _readings(plan)
    doubted = readings.filter(state=State.FAILED, error_code__in=DAMAGE).values("backup_key")
    found = _records(readings.filter(backup_key__in=doubted))
    return {key: record.damaged for key, record in found.items() if record.damaged}


def newest_proof(found: dict[str, Record]) -> frozenset[str]:
    """The key of the sound backup that was read back whole last; empty when none ever was."""
    sound = {key: record for key, record in found.items() if not record.damaged}
    proofs = (last(sound, kind) for kind in CHECKS)
    newest = max(filter(None, proofs), key=lambda proof: proof.at, default=None)
    return frozenset({newest.backup_key} if newest else ())


def last(found: dict[str, Record], kind: Kind) -> Proof | None:
    """The latest verification or drill that went well."""
    name = "verified" if kind == Kind.VERIFY else "proven"
    proofs = (getattr(record, name) for record in found.values())
    return max(filter(None, proofs), key=lambda proof: proof.at, default=None)


def choose(found: dict[str, Record], backups: list[BackupInfo], kind: Kind) -> str:
    """Which of `backups` (newest first) a scheduled check takes: the newest that nobody proved
    yet, else the one whose proof is the oldest. Damaged ones only when there is nothing else.

    A drill reads everything, so what it proved needs no verification. `ArchiveError`
    (BACKUP_NOT_FOUND) when there is none.
    """
    sound = [one.key for one in backups if not found.get(one.key, Record()).damaged]
    keys = sound or [one.key for one in backups]
    if not keys:
        hint = "Make a backup first: this check has nothing to read."
        raise ArchiveError("There is no backup yet", hint=hint, code="BACKUP_NOT_FOUND")
    return min(keys, key=lambda key: _proved_at(found.get(key, Record()), kind))


def _readings(plan: str) -> QuerySet[Job]:
    jobs = Job.objects.filter(plan=plan, kind__in=_READING, finished_at__isnull=False)
    return jobs.filter(state__in=(State.SUCCEEDED, State.FAILED)).exclude(backup_key="")


def _records(readings: QuerySet[Job]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for job in readings.order_by("finished_at").defer("effects", "warnings", "phases"):
        found[job.backup_key] = _with(found.get(job.backup_key, Record()), job)
    return found


def _proved_at(record: Record, kind: Kind) -> float:
    proofs = [record.proven] if kind == Kind.DRILL else [record.proven, record.verified]
    return max((proof.at.timestamp() for proof in proofs if proof), default=_LONG_AGO)


def _with(record: Record, job: Job) -> Record:
    """The record after one more reading. A restore of a part proves nothing of the whole."""
    if job.state == State.FAILED:
        return replace(record, damaged=_damage(job)) if job.error_code in DAMAGE else record
    if job.kind == Kind.VERIFY:
        return replace(record, verified=_proof(job), damaged=None)
    if job.kind == Kind.DRILL:
        return replace(record, proven=_proof(job), damaged=None)
    return record


def _proof(job: Job) -> Proof:
    assert job.finished_at is not None
    began = job.started_at or job.finished_at
    seconds = round((job.finished_at - began).total_seconds(), 3)
    told = job.result
    return Proof(
        job.backup_key, job.finished_at, seconds, told.get("bytes", 0), told.get("files", 0)
    )


def _damage(job: Job) -> Damage:
    assert job.finished_at is not None
    return Damage(
        job.backup_key, job.finished_at, job.error_code, job.error_message, job.error_hint
    )
