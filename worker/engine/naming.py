"""Names in the bucket: built, recognised, and refused when they are not exactly ours.

    backups/whatsapp-data-backup-2025-08-29T05-00-00-000Z.tar.gz
            ├── …tar.gz.metadata.json      written last: with it the backup exists
            ├── …tar.gz.index              what is where in the archive
            ├── …tar.gz.pin                retention keeps this one
            ├── …tar.gz.confirmed          so little data is right
            ├── …tar.gz.damaged            a reading of it found damage
            └── …tar.gz.joined-00001       passing: pieces being put together while it is made

Times are UTC to the millisecond. Whoever asks for a key from outside goes through
`check_key`: nothing is mended or normalised, a key either is one of ours or it is refused.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError

ARCHIVE_SUFFIX = ".tar.gz"
METADATA_SUFFIX = ".metadata.json"
INDEX_SUFFIX = ".index"
PIN_SUFFIX = ".pin"
CONFIRMED_SUFFIX = ".confirmed"
DAMAGED_SUFFIX = ".damaged"
SUFFIXES = (METADATA_SUFFIX, INDEX_SUFFIX, PIN_SUFFIX, CONFIRMED_SUFFIX, DAMAGED_SUFFIX)

_STAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2})-([0-9]{2})-([0-9]{2})-([0-9]{3})Z"
)
_TEMPORARY = re.compile(r"\.joined-[0-9]{5}")
_PROBE = re.compile(r"[0-9a-f]{16}-[a-z]{1,20}")


def stamp(at: datetime) -> str:
    """`2025-08-29T05-00-00-000Z` for an aware time."""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H-%M-%S}-{utc.microsecond // 1000:03}Z"


def parse_stamp(text: str) -> datetime | None:
    """The time that `stamp` wrote, or None."""
    match = _STAMP.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second, milli = map(int, match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, milli * 1000, tzinfo=UTC)
    except ValueError:
        return None


def archive_key(plan: PlanConfig, at: datetime) -> str:
    """The key of the backup made `at` that (aware) time."""
    return f"{_start(plan)}{stamp(at)}{ARCHIVE_SUFFIX}"


def metadata_key(archive_key: str) -> str:
    return archive_key + METADATA_SUFFIX


def index_key(archive_key: str) -> str:
    return archive_key + INDEX_SUFFIX


def pin_key(archive_key: str) -> str:
    return archive_key + PIN_SUFFIX


def confirmed_key(archive_key: str) -> str:
    return archive_key + CONFIRMED_SUFFIX


def damaged_key(archive_key: str) -> str:
    return archive_key + DAMAGED_SUFFIX


def temporary_key(archive_key: str, number: int) -> str:
    """An object that is there for moments while the archive is put together."""
    return f"{archive_key}.joined-{number:05}"


def temporary_of(plan: PlanConfig, key: str) -> str | None:
    """The archive that the temporary object `key` was made for; None unless it is exactly ours."""
    archive = key[: -len(".joined-00000")]
    ours = _TEMPORARY.fullmatch(key[len(archive) :]) and parse_key(plan, archive)
    return archive if ours else None


def mark_keys(archive_key: str) -> tuple[str, str, str]:
    """The small objects by which people, and readings of it, mark a backup."""
    return pin_key(archive_key), confirmed_key(archive_key), damaged_key(archive_key)


def archive_of(plan: PlanConfig, key: str) -> str | None:
    """The archive that the object `key` is or belongs to; None unless it is exactly ours."""
    for suffix in ("", *SUFFIXES):
        archive = key.removesuffix(suffix)
        if key.endswith(suffix) and parse_key(plan, archive):
            return archive
    return None


def probe_prefix(plan: PlanConfig) -> str:
    """How the names of test objects begin: below the prefix, and like no backup's."""
    return f"{plan.prefix}.tarkeep-probe-"


def is_probe(plan: PlanConfig, key: str) -> bool:
    start = probe_prefix(plan)
    return key.startswith(start) and bool(_PROBE.fullmatch(key[len(start) :]))


def parse_key(plan: PlanConfig, key: str) -> datetime | None:
    """When the archive under `key` was made; None unless the key is exactly one of ours."""
    start = _start(plan)
    if not key.startswith(start) or not key.endswith(ARCHIVE_SUFFIX):
        return None
    return parse_stamp(key[len(start) : -len(ARCHIVE_SUFFIX)])


def check_key(plan: PlanConfig, key: str) -> str:
    """The key itself when it is one of ours, else `ArchiveError` (KEY_MALFORMED)."""
    if parse_key(plan, key) is None:
        example = f"{_start(plan)}2025-08-29T05-00-00-000Z{ARCHIVE_SUFFIX}"
        raise ArchiveError(
            "That is not the key of a backup of ours",
            hint=f"Take one from the list; it looks like {example}.",
            code="KEY_MALFORMED",
        )
    return key


def _start(plan: PlanConfig) -> str:
    return f"{plan.prefix}{plan.name}-"
