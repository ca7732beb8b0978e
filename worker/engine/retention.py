"""Which old backups go, and their orderly deletion.

Invariants: the newest backup stays, and so does the one just made; what is deleted has a name
exactly ours and metadata beside it; metadata goes first, so that a deletion cut short leaves
nothing that looks like a backup.
"""

from __future__ import annotations

from worker.engine.catalogue import BackupInfo, list_backups
from worker.engine.config import PlanConfig
from worker.engine.naming import index_key, metadata_key
from worker.engine.progress import Progress
from worker.engine.storage import Storage


def choose(backups: list[BackupInfo], *, keep: int) -> list[BackupInfo]:
    """All but the `keep` (at least 1) newest, oldest first: the order to delete them in."""
    if keep < 1:
        raise ValueError("at least one backup is kept")
    newest_first = sorted(backups, key=lambda info: (info.created, info.key), reverse=True)
    return newest_first[keep:][::-1]


def apply(storage: Storage, plan: PlanConfig, progress: Progress, *, just_made: str) -> list[str]:
    """Delete what the plan no longer keeps; the archive keys deleted, oldest first.

    Only to be called after a backup succeeded: `just_made` is its key. A bucket that does not
    show it yet is one whose list cannot be trusted, so nothing is deleted then.
    `StorageError` when a deletion fails: what is left of that backup is no longer listed, and
    `catalogue.incomplete` finds it.
    """
    backups = list_backups(storage, plan, with_metadata=False)
    if just_made not in {info.key for info in backups}:
        return []
    doomed = [info.key for info in choose(backups, keep=plan.max_backups) if info.key != just_made]
    if doomed:
        progress.commit("prune")
    for key in doomed:
        delete_backup(storage, key)
    return doomed


def delete_backup(storage: Storage, key: str) -> None:
    """Metadata, index, archive, in this order; what is not there is deleted enough."""
    for name in (metadata_key(key), index_key(key), key):
        storage.delete(name)
