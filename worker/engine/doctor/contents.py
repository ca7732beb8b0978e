"""What lies in the bucket: how many backups, how old, and whether the key opens them."""

from __future__ import annotations

from collections.abc import Iterator

from worker.engine.archive.strangers import strangers
from worker.engine.catalogue import BackupInfo, list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.doctor import folders
from worker.engine.doctor.finding import Finding
from worker.engine.errors import KeyMismatch
from worker.engine.storage import Storage
from worker.engine.storage.s3 import open_storage
from worker.engine.storage.s3_client import Patience


def findings(config: StorageConfig, plan: PlanConfig) -> Iterator[Finding]:
    """Raises `StorageError`."""
    storage = open_storage(config, patience=Patience(attempts=2, seconds=0))
    found = list_backups(storage, plan)
    if not found:
        text = f"there is none below {plan.prefix or 'the top of the bucket'} yet"
        yield Finding("note", "backups", text, "Make one: tarkeep backup.")
        return
    newest = found[0]
    at = f"{newest.created:%Y-%m-%d %H:%M} UTC"
    yield Finding("ok", "backups", f"{len(found)}, the newest of {at}")
    yield from _key(storage, plan, found)
    if newest.metadata and newest.metadata.data_size is not None:
        yield folders.room(plan, newest.metadata.data_size)


def _key(storage: Storage, plan: PlanConfig, found: list[BackupInfo]) -> Iterator[Finding]:
    if strange := strangers(storage, plan, found):
        text = f"{len(strange)} of {len(found)} backups are opened by no key that is set"
        hint = "Add the key of that time to BACKUP_ENCRYPTION_KEY_PREVIOUS; see docs/retention.md."
        yield Finding("bad", "key", text, hint, KeyMismatch.exit_code)
    elif any(info.metadata and info.metadata.encrypted for info in found):
        yield Finding("ok", "key", "it opens the encrypted backups")
