"""A plain backup where backups are encrypted: old, or put there by somebody without the key."""

from __future__ import annotations

from worker.engine.catalogue import BackupInfo
from worker.engine.config import PlanConfig
from worker.engine.progress import Progress, SourceWarning

NOT_ENCRYPTED = SourceWarning(
    "NOT_ENCRYPTED",
    "",
    "This backup is not encrypted, although a key is set. Unless it was made before the key was,"
    " somebody else may have put it there",
)


def warn_plain(plan: PlanConfig, progress: Progress) -> None:
    """To be called for an archive that turned out to be plain."""
    if plan.encryption_key is not None:
        progress.warn(NOT_ENCRYPTED)


def warnings_of(plan: PlanConfig, backup: BackupInfo) -> list[SourceWarning]:
    """What a list of backups should say about one, told by its metadata alone."""
    known = backup.metadata
    plain = plan.encryption_key is not None and known is not None and not known.encrypted
    return [NOT_ENCRYPTED] if plain else []
