"""What a bucket's server does with copies and with what is deleted: tried out once, and kept.

Some servers cannot copy parts of uploads at all; some want all parts of an upload to have one
size, copied ones too, and say so only when everything was sent. The trial sends some 5 MiB. What
it found is kept in the bucket; what `tarkeep doctor` has found out counts as well.
"""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime

from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import StorageError
from worker.engine.naming import probe_prefix
from worker.engine.storage import Abilities, Storage, capabilities
from worker.engine.storage.found_out import note, recall
from worker.engine.storage.s3_errors import is_transient

SMALLEST = 5 * 1024 * 1024  # the least that S3 takes for a part that is not the last one
ODD = 64 * 1024  # by how much two parts differ
UNKNOWN = Abilities(copies=True, keeps_deleted=True)  # a try does no harm, what stays might
log = logging.getLogger(__name__)


def find_out(storage: Storage, plan: PlanConfig, config: StorageConfig) -> Abilities:
    """What is known of this endpoint and bucket, or else what a trial says. Never an error: what
    could not be found out is found out by the backup itself."""
    try:
        if known := _known(storage, plan, config):
            return known
        found = _try(storage, f"{probe_prefix(plan)}{secrets.token_hex(8)}-")
        note(storage, plan, config, copies=found.copies, keepsDeleted=found.keeps_deleted)
    except StorageError as error:
        log.info("what the bucket's server can do was not found out: %s", error.message)
        return UNKNOWN
    return found


def _known(storage: Storage, plan: PlanConfig, config: StorageConfig) -> Abilities | None:
    now = datetime.now(UTC)
    if seen := capabilities.load(storage, plan, config, now=now):
        copies = seen.range_copy and not seen.equal_parts
        return Abilities(copies=copies, keeps_deleted=seen.versioning or seen.object_lock)
    said = recall(storage, plan, config)
    if "copies" not in said or "keepsDeleted" not in said:
        return None
    return Abilities(copies=said["copies"] is True, keeps_deleted=said["keepsDeleted"] is True)


def _try(storage: Storage, start: str) -> Abilities:
    """It copies unless it refuses, or has copied something else."""
    source, copied = f"{start}source", f"{start}copied"
    content = os.urandom(SMALLEST + ODD)
    try:
        put = storage.put(source, content)
        copies = _copy(storage, source, put.etag, copied) and _is_whole(storage, copied, content)
    finally:
        gone = _cleared(storage, source, copied)
    return Abilities(copies=copies, keeps_deleted=bool(put.version) or not gone)


def _cleared(storage: Storage, *keys: str) -> bool:
    """Whether they could be deleted: some keys may write alone."""
    left = set(keys)
    for key in keys:
        with suppress(StorageError):
            storage.delete(key)
            left.discard(key)
    return not left


def _copy(storage: Storage, source: str, etag: str, target: str) -> bool:
    try:
        with storage.start_upload(target) as upload:
            upload.copy_part(1, source, etag=etag, first=0, last=SMALLEST + ODD - 1)
            upload.copy_part(2, source, etag=etag, first=1, last=SMALLEST)
            upload.copy_part(3, source, etag=etag, first=0, last=ODD - 1)
            upload.complete()
    except StorageError as error:
        if is_transient(error):
            raise
        return False
    return True


def _is_whole(storage: Storage, key: str, content: bytes) -> bool:
    """Looks where one part ends and the next begins, and at the end."""
    border, end = SMALLEST + ODD, 2 * SMALLEST + 2 * ODD
    wanted = [
        (border - ODD, border + ODD, content[-ODD:] + content[1 : ODD + 1]),
        (end - 2 * ODD, end, content[SMALLEST - ODD + 1 : SMALLEST + 1] + content[:ODD]),
    ]
    if storage.head(key).size != end:
        return False
    return all(b"".join(storage.get(key, first, last)) == part for first, last, part in wanted)
