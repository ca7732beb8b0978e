"""Does one of the keys open this archive? Asked of its first 64 bytes alone."""

from __future__ import annotations

from worker.engine.archive.frames import HEADER_SIZE, MAGIC, parse_header
from worker.engine.archive.keys import find_key
from worker.engine.archive.open_frames import passphrases
from worker.engine.catalogue import BackupInfo
from worker.engine.config import PlanConfig
from worker.engine.storage import Storage


def check_key_fits(storage: Storage, plan: PlanConfig, backup: BackupInfo) -> None:
    """Return for a plain archive and for one that a key opens; else `KeyMismatch`.

    `ArchiveError` where it does not begin as an archive of ours.
    """
    head = b"".join(storage.get(backup.key, 0, HEADER_SIZE))
    if head[: len(MAGIC)] == MAGIC:
        header = parse_header(head)
        find_key(passphrases(plan), header.params, header.key_id)
