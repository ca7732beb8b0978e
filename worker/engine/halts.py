"""When retention deletes nothing at all until a person has spoken. Pure: nothing is asked.

A confirmation lies beside one backup, and is about those before it: they may go.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from worker.engine.catalogue import BackupInfo

Halt = tuple[str, str]  # a code, and the sentence that says why


def halt(
    found: Sequence[BackupInfo],
    going: Sequence[BackupInfo],
    shrunken: Sequence[BackupInfo],
    strange: Collection[str],
    most: int,
) -> Halt | None:
    """`found` newest first; of those `going` would be deleted, `most` at once at the most. No known
    key opens the `strange` ones."""
    return _strange(found, strange) or _shrunken(found, shrunken) or _too_many(found, going, most)


def _strange(found: Sequence[BackupInfo], strange: Collection[str]) -> Halt | None:
    unknown = [info for info in found[: _asked(found)] if info.key in strange]
    if not unknown:
        return None
    return "KEY_CHANGED", (
        f"nothing is deleted: {len(unknown)} of {len(found)} backups, the newest of them "
        f"{unknown[0].key}, were made with an encryption key that is not known here. Add it to "
        "BACKUP_ENCRYPTION_KEY_PREVIOUS, or confirm that they may go"
    )


def _shrunken(found: Sequence[BackupInfo], shrunken: Sequence[BackupInfo]) -> Halt | None:
    if not found or found[0] not in shrunken:
        return None
    return "RETENTION_HALTED", (
        f"nothing is deleted: the newest backup, {found[0].key}, holds less than half the data "
        "of the one before. Look whether data is missing, then confirm it"
    )


def _too_many(found: Sequence[BackupInfo], going: Sequence[BackupInfo], most: int) -> Halt | None:
    """A typing error in a setting must not cost a year of backups."""
    unasked = [info for info in going if info in found[: _asked(found) + 1]]
    if len(unasked) <= most:
        return None
    return "RETENTION_HALTED", (
        f"nothing is deleted: {len(going)} of {len(found)} backups would go at once, more than "
        f"{most}. Look at the settings of what is kept, then confirm it"
    )


def _asked(found: Sequence[BackupInfo]) -> int:
    """Which is the newest that a person has confirmed; behind the last when none is."""
    return next((n for n, info in enumerate(found) if info.confirmed), len(found))
