"""Clears away what runs that died have left in the bucket; nothing else.

- Archives, indexes and marks of ours without metadata, older than a day. An archive or index
  must bear the mark of an upload of ours too: one that somebody put there by hand stays, and
  what somebody pinned stays too.
- Uploads of ours begun, and without a new part, more than a day ago.
- The doctor's test objects, and pieces put together for an archive, older than a day.

Runs known to be at work are passed over whatever their age. Absent is success, so two janitors
do no harm to each other.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from worker.engine.config import PlanConfig
from worker.engine.naming import (
    archive_of,
    is_probe,
    mark_keys,
    metadata_key,
    pin_key,
    probe_prefix,
    temporary_of,
)
from worker.engine.storage import NotFound, OpenUpload, Storage, StoredObject

TTL = timedelta(days=1)
UPLOAD_MARK = "tarkeep-upload"
JOB_MARK = "tarkeep-job"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tidied:
    """Keys deleted, keys whose uploads were aborted, and keys left as they are not our making."""

    deleted: list[str] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def tidy(
    storage: Storage,
    plan: PlanConfig,
    *,
    now: datetime,
    living_jobs: Collection[str] = (),
    living_uploads: Collection[str] = (),
    dry_run: bool = False,
) -> Tidied:
    """Remove leftovers. `living_jobs` and `living_uploads`: ids of what is at work now.

    `StorageError` when the bucket fails us; what is left over waits for the next time.
    """
    done = Tidied()
    for upload in list(_stale_uploads(storage, plan, now, living_uploads)):
        done.aborted.append(upload.key)
        if not dry_run:
            storage.abort_upload(upload.key, upload.upload_id)
    left = _leftovers(storage, plan, now, living_jobs), _passing(storage, plan, now, living_jobs)
    for found, ours in chain(*left, _probes(storage, plan, now)):
        (done.deleted if ours else done.left).append(found.key)
        if ours and not dry_run:
            log.info("Clearing away %s: a run has left it", found.key)
            storage.delete(found.key)
    return done


def _stale_uploads(
    storage: Storage, plan: PlanConfig, now: datetime, living: Collection[str]
) -> Iterator[OpenUpload]:
    for prefix in (f"{plan.prefix}{plan.name}-", probe_prefix(plan)):
        for upload in storage.uploads(prefix):
            archive = archive_of(plan, upload.key) or temporary_of(plan, upload.key)
            ours = archive or is_probe(plan, upload.key)
            old = now - upload.begun > TTL and upload.upload_id not in living
            if ours and old and now - _last_part(storage, upload) > TTL:
                yield upload


def _last_part(storage: Storage, upload: OpenUpload) -> datetime:
    """When something was last sent: a slow line may take days for one backup."""
    try:
        parts = storage.upload_parts(upload.key, upload.upload_id)
        return max((part.modified or upload.begun for part in parts), default=upload.begun)
    except NotFound:
        return upload.begun


def _leftovers(
    storage: Storage, plan: PlanConfig, now: datetime, living_jobs: Collection[str]
) -> Iterator[tuple[StoredObject, bool]]:
    """Old objects of backups without metadata, and whether they are of our making."""
    for archive, found in _families(storage, plan).items():
        if metadata_key(archive) in found or {archive, pin_key(archive)} <= found.keys():
            continue
        for key, item in sorted(found.items()):
            if now - item.modified <= TTL:
                continue
            if key in mark_keys(archive):
                ours = archive not in found
            else:
                ours = _left_by_us(storage, key, living_jobs)
            yield item, ours


def _passing(
    storage: Storage, plan: PlanConfig, now: datetime, living_jobs: Collection[str]
) -> Iterator[tuple[StoredObject, bool]]:
    """Temporary objects of archives, of which a run drops each within moments."""
    for found in storage.list(f"{plan.prefix}{plan.name}-"):
        if temporary_of(plan, found.key) and now - found.modified > TTL:
            yield found, _left_by_us(storage, found.key, living_jobs)


def _families(storage: Storage, plan: PlanConfig) -> dict[str, dict[str, StoredObject]]:
    """All objects with names of ours, by the archive that they are or belong to."""
    families: dict[str, dict[str, StoredObject]] = defaultdict(dict)
    for found in storage.list(f"{plan.prefix}{plan.name}-"):
        if archive := archive_of(plan, found.key):
            families[archive][found.key] = found
    return families


def _probes(
    storage: Storage, plan: PlanConfig, now: datetime
) -> Iterator[tuple[StoredObject, bool]]:
    for found in storage.list(probe_prefix(plan)):
        if is_probe(plan, found.key) and now - found.modified > TTL:
            yield found, True


def _left_by_us(storage: Storage, key: str, living_jobs: Collection[str]) -> bool:
    """Whether an upload of ours made it, of a job that is no longer at work."""
    try:
        marks = storage.head(key).metadata
    except NotFound:
        return True
    return UPLOAD_MARK in marks and marks.get(JOB_MARK) not in living_jobs
