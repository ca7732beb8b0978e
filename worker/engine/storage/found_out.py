"""What was found out about a bucket's server by trying: kept in the bucket for all who use it.

What lies there was perhaps written for another server, or by somebody else: it only ever chooses
between ways that are all checked.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.storage import NotFound, Storage, TooLarge

VALID = timedelta(days=90)
_LIMIT = 4096


def record_key(plan: PlanConfig) -> str:
    return f"{plan.prefix}tarkeep-abilities.json"


def recall(storage: Storage, plan: PlanConfig, config: StorageConfig) -> dict[str, Any]:
    """What is known of this very endpoint and bucket since 90 days at most, or nothing."""
    try:
        said = json.loads(storage.get_bytes(record_key(plan), limit=_LIMIT))
        fresh = abs(datetime.now(UTC) - datetime.fromisoformat(said["at"])) < VALID
        return said if fresh and _about(config).items() <= said.items() else {}
    except (NotFound, TooLarge, ValueError, KeyError, TypeError, AttributeError):
        return {}


def note(storage: Storage, plan: PlanConfig, config: StorageConfig, **found: bool) -> None:
    """Beside what is known: all of it is found out anew when the oldest is too old."""
    known = recall(storage, plan, config)
    at = known.get("at", datetime.now(UTC).isoformat(timespec="seconds"))
    data = json.dumps({**known, **_about(config), "at": at, **found}).encode() + b"\n"
    storage.put(record_key(plan), data, content_type="application/json")


def _about(config: StorageConfig) -> dict[str, Any]:
    return {"version": 1, "endpoint": config.endpoint, "bucket": config.bucket}
