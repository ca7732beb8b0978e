"""What the settings add to every request that makes an object."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from worker.engine.config import StorageConfig


def writing(config: StorageConfig) -> dict[str, Any]:
    """For small objects and large ones: server-side encryption and lock."""
    return {**_encryption(config.sse), **_lock(config.object_lock_days)}


def uploading(config: StorageConfig) -> dict[str, Any]:
    """For large objects: a storage class too."""
    chosen = {"StorageClass": config.storage_class} if config.storage_class else {}
    return {**writing(config), **chosen}


def _encryption(sse: str) -> dict[str, str]:
    method, key = (sse, "") if sse.count(":") < 2 else ("aws:kms", sse.split(":", 2)[2])
    chosen = {"ServerSideEncryption": method} if method else {}
    return chosen | ({"SSEKMSKeyId": key} if key else {})


def _lock(days: int) -> dict[str, Any]:
    if not days:
        return {}
    # Governance: a wrong number of days can still be undone by the bucket's owner.
    until = datetime.now(UTC) + timedelta(days=days)
    return {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
