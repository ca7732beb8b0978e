"""Alerts about what lies in the bucket, as it was seen last, and what restores have replaced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from backups_app.alerts.alert import Alert
from backups_app.models import BucketSummary, FolderTrouble
from backups_app.proofs import damages


def found(plan: str) -> Iterator[Alert]:
    yield from _about_bucket(plan)
    yield from _about_copies(plan)


def _about_bucket(plan: str) -> Iterator[Alert]:
    """The newest backup first, then damaged ones that are still there, then retention."""
    seen = BucketSummary.objects.filter(plan=plan).first()
    if seen and seen.alarm:
        told = seen.alarm
        yield Alert(told["code"], told["message"], told["hint"], told["backupKey"])
    for key, damage in damages(plan).items():
        if not (seen and key in seen.gone):
            message = f"Backup {PurePosixPath(key).name} is damaged: {damage.message}"
            yield Alert("BACKUP_DAMAGED", message, damage.hint, key)
    if seen and seen.retention_halted:
        said = seen.retention_halted
        hint = "Confirm it with: tarkeep prune --confirm. docs/retention.md tells more."
        code = seen.halted_code or "RETENTION_HALTED"
        yield Alert(code, f"{said[:1].upper()}{said[1:]}", hint)


def _about_copies(plan: str) -> Iterator[Alert]:
    """Safety copies that cannot be removed by themselves."""
    for copy in FolderTrouble.objects.filter(plan=plan).order_by("path"):
        yield Alert(copy.code, copy.message, copy.hint, subject=PurePosixPath(copy.path).name)
