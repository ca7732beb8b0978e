"""Which errors of reading a backup mean that the backup itself is damaged, not a setting or a
disk: such a backup is no protection and does not count as kept.

That is written beside it, so that whoever has only the bucket knows too, until a reading of all of
it goes well.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from worker.engine.errors import ArchiveError, StorageError
from worker.engine.naming import damaged_key
from worker.engine.storage import NotFound, Storage, TooLarge

log = logging.getLogger(__name__)
_LARGEST = 16 * 1024  # bytes of a mark
_LONGEST = 500  # characters of what it says

DAMAGE: Final = frozenset(
    {
        "ARCHIVE_CHECKSUM", "ARCHIVE_DAMAGED", "ARCHIVE_HOSTILE", "ARCHIVE_SIZE",
        "ARCHIVE_TRUNCATED", "DATABASE_DAMAGED", "DRILL_DIFFERS", "FRAME_FOREIGN",
        "INDEX_DAMAGED", "INDEX_FOREIGN", "INDEX_MISSING", "MANIFEST_MISSING", "METADATA_INVALID",
    }
)  # fmt: skip


class Mark(NamedTuple):
    """What was found, and when. `code` is one of DAMAGE."""

    at: datetime
    code: str
    message: str


@contextmanager
def marking(storage: Storage, key: str, *, proves: bool) -> Iterator[None]:
    """Around a reading of the backup: damage is marked in the bucket and raised on.

    `proves`: all of it is read, so that its going well takes the mark away. A bucket that takes
    no mark is no reason to fail.
    """
    try:
        yield
    except ArchiveError as error:
        if error.code in DAMAGE:
            _try(storage, key, error)
        raise
    if proves:
        _try(storage, key, None)


def read_mark(storage: Storage, key: str) -> Mark | None:
    """None where there is none, or where it says nothing that we know. `StorageError`."""
    try:
        told: Any = json.loads(storage.get_bytes(damaged_key(key), limit=_LARGEST))
        at = datetime.fromisoformat(told["at"])
        mark = Mark(at, str(told["code"]), str(told["message"])[:_LONGEST])
    except (NotFound, TooLarge, ValueError, KeyError, TypeError):
        return None
    return mark if mark.code in DAMAGE and at.tzinfo else None


def _try(storage: Storage, key: str, error: ArchiveError | None) -> None:
    try:
        if error is None:
            storage.delete(damaged_key(key))
        else:
            storage.put(damaged_key(key), _said(error), content_type="application/json")
    except StorageError as trouble:
        log.warning("Whether %s is damaged could not be marked: %s", key, trouble.message)


def _said(error: ArchiveError) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"at": now, "code": error.code, "message": error.message}).encode() + b"\n"
