"""Brings the index object from the bucket into a file, unpacked and vouched for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from worker.engine.archive import codec
from worker.engine.archive.chunks import ChunkReader
from worker.engine.archive.frames import HEADER_SIZE, Kind
from worker.engine.archive.manifest_fetch import fetch_manifest
from worker.engine.archive.open_frames import FrameOpener, passphrases
from worker.engine.archive.unpack_gzip import unpack_gzip
from worker.engine.catalogue import BackupInfo
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError, KeyMismatch
from worker.engine.naming import index_key
from worker.engine.storage import NotFound, Storage

MAX_UNPACKED = 8 * 1024 * 1024 * 1024  # bytes: 20 million files take less than half of it
_HINT = "The backup itself may be whole: verify it."


@dataclass(frozen=True)
class Pin:
    """The index's SHA-256 (hex) as somebody to be believed gives it; `opener` and the manifest's
    `records` where sealed."""

    sha256: str
    opener: FrameOpener | None = field(default=None, compare=False)
    records: bytes = field(default=b"", compare=False, repr=False)

    def cache_name(self, key: str) -> str:
        """Sealed and plain apart: a plain one is vouched for by less."""
        return f"{key}\0{self.sha256}\0{'sealed' if self.opener else 'plain'}"


def cache_name(backup: BackupInfo) -> str | None:
    """What the cache may know the index by, told by the metadata alone."""
    sha256 = _told(backup)
    if not sha256 or backup.metadata is None:
        return None
    return Pin(sha256, FrameOpener(()) if backup.metadata.encrypted else None).cache_name(
        backup.key
    )


def own_name(plan: PlanConfig, key: str, sha256: str) -> str:
    """What the cache knows the index by of a backup that this plan has just made."""
    return Pin(sha256, FrameOpener(()) if plan.encryption_key else None).cache_name(key)


def find_pin(storage: Storage, plan: PlanConfig, backup: BackupInfo) -> Pin:
    """From the manifest of an encrypted archive, from the metadata of a plain one.

    Raises `ArchiveError` (INDEX_MISSING where nothing vouches for an index), `KeyMismatch`.
    """
    if backup.metadata is None or backup.metadata.encrypted:
        return _from_manifest(storage, plan, backup)
    sha256 = _told(backup)
    if not sha256:
        raise _missing("its metadata has no checksum of one")
    return Pin(sha256)


def fetch_index(storage: Storage, backup: BackupInfo, pin: Pin, target: Path) -> None:
    """Write the unpacked index into the file `target`; good only when this returns.

    Raises `ArchiveError`: INDEX_MISSING, INDEX_DAMAGED, INDEX_FOREIGN.
    """
    digest = hashlib.sha256()
    source = ChunkReader(iter(storage.get(index_key(backup.key))), digest.update)
    try:
        _write(_sealed(source, pin.opener) if pin.opener else unpack_gzip(source), target)
    except NotFound as error:
        raise _missing("the bucket holds none") from error
    except KeyMismatch:
        raise
    except ArchiveError as error:
        raise ArchiveError(
            "The backup's index is damaged.", code="INDEX_DAMAGED", hint=_HINT
        ) from error
    if not hmac.compare_digest(digest.hexdigest(), pin.sha256):
        raise ArchiveError(
            "The index is cut off, or is not the one of this backup.",
            code="INDEX_FOREIGN",
            hint=_HINT,
        )


def _from_manifest(storage: Storage, plan: PlanConfig, backup: BackupInfo) -> Pin:
    opener = FrameOpener(passphrases(plan))
    try:
        manifest = fetch_manifest(storage, backup, opener)
    except ArchiveError as error:
        if backup.metadata is None and error.code == "MANIFEST_MISSING":
            raise _missing("it has no metadata") from error
        raise
    if not manifest.index_sha256:
        raise _missing("its manifest names none")
    return Pin(manifest.index_sha256, opener, bytes(manifest.records))


def _told(backup: BackupInfo) -> str:
    """The checksum in the metadata, in hex; "" where there is none."""
    checksum = (backup.metadata and backup.metadata.index_checksum) or ""
    scheme, _, value = checksum.rpartition(":")
    return value.lower() if scheme == "sha256" else ""


def _sealed(source: ChunkReader, opener: FrameOpener) -> Iterator[bytes | bytearray]:
    while raw := source.exactly(HEADER_SIZE):
        header = opener.header(raw, Kind.INDEX)
        body = source.exactly(header.length)
        yield codec.decompress(opener.body(header, body))


def _write(pieces: Iterator[bytes | bytearray] | Iterator[bytes], target: Path) -> None:
    left = MAX_UNPACKED
    with target.open("wb") as file:
        for piece in pieces:
            left -= len(piece)
            if left < 0:
                raise ArchiveError(f"The index unpacks to more than {MAX_UNPACKED} bytes.")
            file.write(piece)


def _missing(why: str) -> ArchiveError:
    return ArchiveError(
        f"The backup has no index that can be used: {why}.",
        code="INDEX_MISSING",
        hint="Everything can still be restored by reading the archive through.",
    )
