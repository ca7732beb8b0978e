"""Whether a bucket's server compares the CRC-32 of parts: tried out once, with a few bytes."""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import suppress
from typing import Any

from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import StorageError
from worker.engine.naming import probe_prefix
from worker.engine.storage import Storage
from worker.engine.storage.found_out import note, recall
from worker.engine.storage.guards import Body, Crc32, Guard
from worker.engine.storage.s3_errors import is_transient, server_code

WORTH = 64 * 1024 * 1024  # bytes to send: below that MD5 costs less than asking
log = logging.getLogger(__name__)


class _Wrong(Crc32):
    """The checksum of something else."""

    def sending(self, data: Body) -> dict[str, Any]:
        return super().sending(bytes(data) + b"!")


def checks_crc32(storage: Storage, plan: PlanConfig, config: StorageConfig) -> bool:
    """What is known, or else what a trial says; False, and no error, when it could not be made.

    A server that does not know this checksum stores the part in spite of it, or refuses both.
    """
    try:
        known = recall(storage, plan, config).get("crc32")
        if isinstance(known, bool):
            return known
        found = _try(storage, f"{probe_prefix(plan)}{secrets.token_hex(8)}-crc32")
        note(storage, plan, config, crc32=found)
    except StorageError as error:
        log.info("whether the bucket's server checks CRC-32 was not found out: %s", error.message)
        return False
    return found


def _try(storage: Storage, key: str) -> bool:
    content = os.urandom(1000)
    try:
        if _takes(storage, key, content, _Wrong()) or not _takes(storage, key, content, Crc32()):
            return False
        return storage.get_bytes(key, limit=len(content)) == content
    finally:
        with suppress(StorageError):
            storage.delete(key)


def _takes(storage: Storage, key: str, content: bytes, guard: Guard) -> bool:
    try:
        with storage.start_upload(key, guard=guard) as upload:
            upload.send_part(1, content)
            upload.complete()
    except StorageError as error:
        if is_transient(error) and server_code(error) != "BadDigest":
            raise
        return False
    return True
