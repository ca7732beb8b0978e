"""The metadata that makes an archive a backup: a small JSON object beside it.

Six fields are always there: timestamp, size, checksum, compressed, encrypted, version. Others
may be missing, and fields we do not know are kept as they are. What is read comes from a
bucket that others may write to, so it is bounded and every field is checked.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from worker.engine.errors import ArchiveError
from worker.engine.naming import parse_stamp

MAX_SIZE = 1024 * 1024
MAX_COUNT = 2**63 - 1

_BARE_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_HINT = "The archive itself may be whole: try to verify it, or choose another backup."


@dataclass(frozen=True)
class Metadata:
    """What is known of one backup. Sizes in bytes, `timestamp` ISO 8601 in UTC with a Z.

    `checksum` is `sha256:` of the whole object, or `sha256-tree:` (see docs/format.md).
    """

    timestamp: str
    size: int
    checksum: str
    compressed: bool
    encrypted: bool
    version: str
    name: str | None = None
    format_version: int | None = None
    data_size: int | None = None
    file_count: int | None = None
    folder_count: int | None = None
    segment_count: int | None = None
    index_size: int | None = None
    index_checksum: str | None = None
    warning_count: int | None = None
    key_id: str | None = None
    job_id: str | None = None
    fence: int | None = None
    duration_seconds: float | None = None
    downtime_seconds: float | None = None
    bytes_read: int | None = None
    bytes_sent: int | None = None
    bytes_copied: int | None = None
    base: str | None = None
    generation: int | None = None
    full_reason: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The JSON object: camelCase names, fields without a value left out."""
        known = {json_name: getattr(self, name) for json_name, (name, _) in _FIELDS.items()}
        return {**self.extra, **{name: value for name, value in known.items() if value is not None}}


def dump(metadata: Metadata) -> bytes:
    """The metadata as it lies in the bucket."""
    return json.dumps(metadata.as_dict(), indent=2, ensure_ascii=False).encode() + b"\n"


def load(raw: bytes, key: str) -> Metadata:
    """Read metadata, ours or the original system's. `ArchiveError` (METADATA_INVALID)."""
    content = _parse(raw, key)
    values: dict[str, Any] = {"extra": {}}
    for json_name, value in content.items():
        name, kind = _FIELDS.get(json_name, ("", ""))
        if name and value is not None:
            values[name] = _checked(value, kind, json_name, key)
        elif not name:
            values["extra"][json_name] = value
    for name in _REQUIRED - values.keys():
        raise _invalid(key, f"{name} is missing")
    values["timestamp"] = _iso(values["timestamp"], key)
    if _BARE_SHA256.fullmatch(values["checksum"]):
        values["checksum"] = f"sha256:{values['checksum'].lower()}"
    return Metadata(**values)


def _parse(raw: bytes, key: str) -> dict[str, Any]:
    if len(raw) > MAX_SIZE:
        raise _invalid(key, "it is too large")
    try:
        content = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant)
        # Half a surrogate pair and 1e999 are valid JSON, but could not be written again.
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise _invalid(key, "it is not JSON") from error
    if not isinstance(content, dict):
        raise _invalid(key, "it is not a JSON object")
    return content


def _checked(value: object, kind: str, json_name: str, key: str) -> object:
    """The value as its field has it; JSON's true is no number here."""
    number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    fits = {
        "bool": isinstance(value, bool),
        "int": number,
        "float": number or (isinstance(value, float) and 0 <= value < math.inf),
        "str": isinstance(value, str),
    }
    # The original system's version is sometimes a bare number.
    if json_name == "version" and isinstance(value, int | float):
        return str(value)
    if not fits[kind]:
        raise _invalid(key, f"{json_name} is not what it should be")
    return value


def _iso(text: str, key: str) -> str:
    """`2025-08-29T05:00:00.000Z` from that form or from the one used in names."""
    try:
        at = parse_stamp(text) or datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError) as error:
        raise _invalid(key, "timestamp is not a time") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _invalid(key: str, why: str) -> ArchiveError:
    message = f"The metadata of {key!r} cannot be used: {why}"
    return ArchiveError(message, hint=_HINT, code="METADATA_INVALID")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


# JSON name -> (attribute, kind), from the dataclass above.
_FIELDS = {
    _camel(f.name): (f.name, str(f.type).removesuffix(" | None"))
    for f in fields(Metadata)
    if f.name != "extra"
}
_REQUIRED = {"timestamp", "size", "checksum", "compressed", "encrypted", "version"}
