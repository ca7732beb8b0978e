"""What people say of a backup, written beside it, so that it outlives the database.

A pin keeps a backup from retention until it is taken away. A confirmation says that a backup
which looks like a loss of data, or was made with another key, is right as it is. The object's
name is the statement; its content only tells when and by whom it was made.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TypedDict

from worker.engine.archive.strangers import strangers
from worker.engine.catalogue import find_backup, list_backups
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.naming import confirmed_key, pin_key
from worker.engine.retention import Held, judge
from worker.engine.storage import Storage


class Statement(TypedDict):
    """When somebody said so, and who."""

    at: datetime
    by: str


def pin(storage: Storage, plan: PlanConfig, key: str, *, at: datetime, by: str) -> str:
    """Keep this backup (or the `latest`) for good; its key.

    `ArchiveError`: KEY_MALFORMED, BACKUP_NOT_FOUND. Pinning twice changes nothing.
    """
    found = find_backup(storage, plan, key).key
    storage.put(pin_key(found), _statement(at, by), content_type="application/json")
    return found


def unpin(storage: Storage, plan: PlanConfig, key: str) -> str:
    """Leave this backup to retention again; its key. Content with one that was not pinned."""
    found = find_backup(storage, plan, key).key
    storage.delete(pin_key(found))
    return found


def confirm(storage: Storage, plan: PlanConfig, *, at: datetime, by: str) -> str:
    """Say that the newest backup is right, though it shrank or its key is another, or that many
    older ones may go at once; its key.

    `ArchiveError` (NOTHING_TO_CONFIRM) when nothing of that is so.
    """
    backups = list_backups(storage, plan)
    suspect = judge(backups, plan, Held(strange=strangers(storage, plan, backups))).suspect
    if suspect is None:
        raise ArchiveError(
            "Nothing is to be confirmed: the newest backup has not shrunk, the key is the same, "
            "and few backups would go",
            hint="tarkeep prune --dry-run says of each backup why it stays or goes.",
            code="NOTHING_TO_CONFIRM",
        )
    storage.put(confirmed_key(suspect.key), _statement(at, by), content_type="application/json")
    return suspect.key


def _statement(at: datetime, by: str) -> bytes:
    when = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return json.dumps({"at": when, "by": by[:200]}).encode() + b"\n"
