"""Which backups no known passphrase opens: a changed key is noticed before it costs anything.

Asked of one backup for each key id, of its first 64 bytes; what was found out is kept for the
life of the process, since a key id stands for its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from worker.engine.archive.key_check import check_key_fits
from worker.engine.archive.open_frames import passphrases
from worker.engine.catalogue import BackupInfo
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError, KeyMismatch
from worker.engine.storage import NotFound, Storage

_opens: dict[tuple[bytes, str], bool] = {}


def strangers(storage: Storage, plan: PlanConfig, backups: Iterable[BackupInfo]) -> frozenset[str]:
    """The keys of those of `backups` (with their metadata). `StorageError`."""
    known = hashlib.sha256("\0".join(passphrases(plan)).encode()).digest()
    return frozenset(info.key for info in backups if not _is_opened(storage, plan, info, known))


def _is_opened(storage: Storage, plan: PlanConfig, info: BackupInfo, known: bytes) -> bool:
    """What is plain, or says nothing of its key, is for others to judge."""
    key_id = info.metadata.key_id if info.metadata and info.metadata.encrypted else None
    if key_id is None:
        return True
    if (known, key_id) not in _opens:
        try:
            check_key_fits(storage, plan, info)
        except KeyMismatch:
            _opens[known, key_id] = False
        except (ArchiveError, NotFound):
            return True  # damaged, or gone meanwhile
        else:
            _opens[known, key_id] = True
    return _opens[known, key_id]
