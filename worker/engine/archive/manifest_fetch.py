"""Fetches the manifest alone, from the end of an encrypted archive."""

from __future__ import annotations

from pathlib import PurePosixPath

from worker.engine.archive.frames import HEADER_SIZE, Kind, sealed_size
from worker.engine.archive.manifest import RECORD, TRAILER, Manifest, load, parse_trailer
from worker.engine.archive.open_frames import FrameOpener
from worker.engine.catalogue import BackupInfo
from worker.engine.errors import ArchiveError
from worker.engine.storage import Storage

_JSON = 1024  # bytes: more than the manifest's JSON text takes
_LEAST = 64 * 1024
_MOST = 16 * 1024 * 1024
_SEGMENT = 4 * 1024 * 1024


def fetch_manifest(storage: Storage, backup: BackupInfo, opener: FrameOpener) -> Manifest:
    """One ranged GET, a second one when the manifest is longer than guessed.

    Raises `ArchiveError`: MANIFEST_MISSING (cut off, or not encrypted), FRAME_FOREIGN (another
    archive under this name); `KeyMismatch`.
    """
    tail = _tail(storage, backup, _guess(backup))
    length = parse_trailer(tail[-TRAILER.size :])
    if length + TRAILER.size > len(tail):
        tail = _tail(storage, backup, length + TRAILER.size)
    frame = memoryview(tail)[-length - TRAILER.size : -TRAILER.size]
    manifest = load(opener.open(frame, Kind.MANIFEST))
    _check(manifest, backup, len(frame) + TRAILER.size)
    return manifest


def _guess(backup: BackupInfo) -> int:
    """Bytes from the end that should hold it all. The metadata is a hint here, no more."""
    known = backup.metadata.segment_count if backup.metadata else None
    frames = backup.size // _SEGMENT if known is None else known
    size = HEADER_SIZE + sealed_size(_JSON + frames * RECORD.size) + TRAILER.size
    return min(max(size, _LEAST), _MOST)


def _tail(storage: Storage, backup: BackupInfo, size: int) -> bytes:
    return b"".join(storage.get(backup.key, max(0, backup.size - size), backup.size))


def _check(manifest: Manifest, backup: BackupInfo, behind: int) -> None:
    """Its name, and that all frames together are as long as the archive."""
    if manifest.name != PurePosixPath(backup.key).name:
        raise ArchiveError(
            f"This is the archive {manifest.name} under another name.",
            code="FRAME_FOREIGN",
            hint="It was renamed in the bucket. Restore it under its own name.",
        )
    frames = sum(length for length, *_ in RECORD.iter_unpack(manifest.records))
    if frames + behind != backup.size:
        raise ArchiveError("The archive is not as long as its manifest says.")
