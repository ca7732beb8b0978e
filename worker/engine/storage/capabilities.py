"""What a provider can do, as a probe has found out, and where that is kept.

It is kept in the bucket, for all who back up to it. What lies there was perhaps written for
another server, or by somebody else: it only ever chooses between ways that are all checked.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.storage import NotFound, Storage, TooLarge

VALID = timedelta(days=30)
_LIMIT = 64 * 1024
_VERSION = 1


@dataclass(frozen=True)
class Capabilities:
    """`min_part` in bytes: the smallest part that is not the last one.

    `equal_parts`: all parts but the last must have one size. `range_copy`: parts can be copied
    from objects. `copy_if_match`: not from one that was replaced meanwhile.
    `conditional_put`: nothing is overwritten by a put that says so. `checks_md5`,
    `checks_sha256`: a body that does not fit its checksum is refused. `trailers`: checksums
    behind the body are understood. `skew_seconds`: how far the server's clock is ahead of ours.
    """

    provider: str
    multipart: bool
    min_part: int
    equal_parts: bool
    range_copy: bool
    copy_if_match: bool
    conditional_put: bool
    checks_md5: bool
    checks_sha256: bool
    trailers: bool
    versioning: bool
    object_lock: bool
    skew_seconds: float


def key_of(plan: PlanConfig) -> str:
    return f"{plan.prefix}tarkeep-capabilities.json"


def save(
    storage: Storage, plan: PlanConfig, config: StorageConfig, found: Capabilities, *, now: datetime
) -> None:
    content = {
        "version": _VERSION,
        "endpoint": config.endpoint,
        "bucket": config.bucket,
        "at": now.isoformat(timespec="seconds"),
        "capabilities": asdict(found),
    }
    data = json.dumps(content, indent=2).encode() + b"\n"
    storage.put(key_of(plan), data, content_type="application/json")


def load(
    storage: Storage, plan: PlanConfig, config: StorageConfig, *, now: datetime
) -> Capabilities | None:
    """What was found out about this very endpoint and bucket in the last 30 days, or None."""
    try:
        content = json.loads(storage.get_bytes(key_of(plan), limit=_LIMIT))
        fresh = abs(now - datetime.fromisoformat(content["at"])) < VALID
        about = (content["version"], content["endpoint"], content["bucket"])
        values = content["capabilities"]
    except (NotFound, TooLarge, ValueError, KeyError, TypeError):
        return None
    if about != (_VERSION, config.endpoint, config.bucket) or not fresh:
        return None
    return _checked(values)


def _checked(values: Any) -> Capabilities | None:
    """The dataclass, if each field is there and of its type."""
    kinds: dict[str, Any] = {"bool": bool, "int": int, "float": (int, float), "str": str}
    if not isinstance(values, dict) or values.keys() != {f.name for f in fields(Capabilities)}:
        return None
    right = all(isinstance(values[f.name], kinds[str(f.type)]) for f in fields(Capabilities))
    return Capabilities(**values) if right else None
