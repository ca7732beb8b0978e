"""The backup that the next one builds on: the newest, if it is sound and was made alike."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from worker.engine.archive.index_reader import IndexReader, open_index
from worker.engine.archive.keys import MasterKey
from worker.engine.archive.manifest_fetch import fetch_manifest
from worker.engine.archive.open_frames import FrameOpener, passphrases
from worker.engine.catalogue import BackupInfo, find_backup, list_backups
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.metadata import Metadata
from worker.engine.retention import Held
from worker.engine.reuse.refused import COPY_REFUSED, NotReused
from worker.engine.storage import Storage

PACKING = 2  # raised when the same files would be packed into other bytes


@dataclass(frozen=True)
class Base:
    """`index` is its opened index, `records` its manifest's (empty for a plain archive).

    `generation` counts the backups since the last full one; `captured`: when its files were
    first looked at, nanoseconds since the epoch, by the clock of the machine that did. `joins`:
    short stretches of it may pass through temporary objects. `metadata` is its own; `hindrance`
    says why nothing can be taken over, though it may be that nothing changed.
    """

    key: str
    etag: str
    generation: int
    captured: int
    index: Path
    records: bytes = field(repr=False)
    joins: bool = False
    metadata: Metadata | None = field(default=None, repr=False)
    hindrance: NotReused | None = None


def facts(plan: PlanConfig, master: MasterKey | None) -> dict[str, str]:
    """What must be the same in two backups, so that one may take segments from the other."""
    return {
        "packing": str(PACKING),
        "level": str(plan.compression_level),
        "segmentSize": str(plan.segment_size),
        "keyId": master.key_id.hex() if master else "",
    }


def open_base(
    stack: ExitStack, storage: Storage, plan: PlanConfig, master: MasterKey | None, held: Held
) -> Base:
    """The base, its index at hand until `stack` is closed.

    Raises `NotReused`, `StorageError`, `TargetError`.
    """
    backup = _newest(storage, plan, held)
    hindrance = _too_little(plan, backup) or _in_vain(plan, backup)
    if hindrance and not plan.reuse.skips:
        raise hindrance
    etag = storage.head(backup.key).etag
    try:
        index = stack.enter_context(open_index(storage, plan, backup))
        known = dict(index.query("SELECT key, value FROM info").fetchall())
        generation = _generation(plan, known, facts(plan, master))
        records = _records(storage, plan, backup, master, index)
        captured = int(known["captured"])
    except ArchiveError as error:
        raise NotReused("BASE_UNREADABLE", error.message) from error
    except (KeyError, ValueError) as error:
        raise NotReused("BASE_UNREADABLE", "the last backup's index is not whole") from error
    base = Base(backup.key, etag, generation, captured, index.file, records)
    if hindrance:
        return replace(base, metadata=backup.metadata, hindrance=hindrance)
    able = storage.abilities(plan)
    if not able.copies:
        hindrance = NotReused(
            COPY_REFUSED, "the server does not copy parts of any size", generation
        )
        if not plan.reuse.skips:
            raise hindrance
    # Where what is deleted goes on taking space, nothing passes.
    joins = plan.reuse.joins and not able.keeps_deleted
    return replace(base, joins=joins, metadata=backup.metadata, hindrance=hindrance)


def _newest(storage: Storage, plan: PlanConfig, held: Held) -> BackupInfo:
    backups = list_backups(storage, plan, with_metadata=False)
    if not backups:
        raise NotReused("NO_BASE", "there is no backup yet")
    if backups[0].damaged or backups[0].key in held.damaged:
        raise NotReused("BASE_DAMAGED", "the last backup is damaged")
    backup = find_backup(storage, plan, backups[0].key)
    known = backup.metadata
    if known is None or known.size != backup.size or not known.index_checksum:
        raise NotReused("BASE_UNREADABLE", "the last backup has no index that can be used")
    if known.encrypted != bool(plan.encryption_key):
        raise NotReused("BASE_DIFFERS", "the last backup has another key")
    return backup


def _too_little(plan: PlanConfig, backup: BackupInfo) -> NotReused | None:
    if backup.size >= plan.reuse.least_copy:
        return None
    return NotReused("TOO_LITTLE", "the last backup is smaller than a part that is copied")


def _in_vain(plan: PlanConfig, backup: BackupInfo) -> NotReused | None:
    """A server that could not copy last time is asked again when a full backup is due anyway."""
    known = backup.metadata
    generation = ((known and known.generation) or 0) + 1
    if not known or known.full_reason != COPY_REFUSED or generation >= plan.reuse.full_every:
        return None
    return NotReused(COPY_REFUSED, "the server could not copy last time", generation)


def _generation(plan: PlanConfig, known: dict[str, str], wanted: dict[str, str]) -> int:
    if "captured" not in known:
        raise NotReused("BASE_DIFFERS", "the last backup is of an older version")
    if any(known.get(name) != value for name, value in wanted.items()):
        raise NotReused("BASE_DIFFERS", "the last backup has another key, level or format")
    generation = int(known["generation"]) + 1
    if generation >= plan.reuse.full_every:
        raise NotReused("FULL_DUE", f"every {plan.reuse.full_every}th backup is packed anew")
    return generation


def _records(
    storage: Storage,
    plan: PlanConfig,
    backup: BackupInfo,
    master: MasterKey | None,
    index: IndexReader,
) -> bytes:
    """The manifest's records, which must be those of the index's segments."""
    if master is None:
        return b""
    manifest = fetch_manifest(storage, backup, FrameOpener(passphrases(plan)))
    told = [(length, raw, sha256) for length, raw, _, _, sha256 in manifest.rows()]
    query = "SELECT length, raw_length, sha256 FROM segments ORDER BY id"
    if told != index.query(query).fetchall():
        raise NotReused("BASE_UNREADABLE", "the last backup's index is not that of its manifest")
    return bytes(manifest.records)
