"""The master key that a deployment seals with: its passphrase and the salt it keeps.

The salt stands in every frame, so the newest archive in the bucket tells it, and a deployment
that lost everything but its passphrase goes on with the same key. It is believed only when it
comes with the usual costs and with the key id that our passphrase gives: whoever writes into
the bucket can then neither weaken the derivation nor choose the salt.
"""

from __future__ import annotations

from collections.abc import Iterable

from worker.engine.archive.frames import HEADER_SIZE, FrameHeader, parse_header
from worker.engine.archive.keys import KdfParams, MasterKey, derive, next_params
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError, StorageError
from worker.engine.naming import parse_key
from worker.engine.storage import Storage

_LOOK_AT = 3  # newest archives


def sealing_key(
    storage: Storage, plan: PlanConfig, known: Iterable[tuple[bytes, bytes]] = ()
) -> MasterKey | None:
    """The key for new archives; None when no passphrase is set.

    `known`: salts with their key ids, to be gone on with where the bucket tells none.
    """
    if plan.encryption_key is None:
        return None
    for key in _newest(storage, plan):
        header = _first_header(storage, key)
        if header is not None and header.params == KdfParams(header.params.salt):
            master = derive(plan.encryption_key, header.params)
            if master.key_id == header.key_id:
                return master
    for salt, key_id in known:
        master = derive(plan.encryption_key, KdfParams(salt))
        if master.key_id == key_id:
            return master
    return derive(plan.encryption_key, next_params())


def _newest(storage: Storage, plan: PlanConfig) -> list[str]:
    keys = [found.key for found in storage.list(plan.prefix) if parse_key(plan, found.key)]
    return sorted(keys, reverse=True)[:_LOOK_AT]


def _first_header(storage: Storage, key: str) -> FrameHeader | None:
    """The header of the archive's first frame, or None where there is none to believe."""
    try:
        return parse_header(b"".join(storage.get(key, 0, HEADER_SIZE)))
    except (ArchiveError, StorageError):
        return None
