"""Open any archive for reading: ours, plain or encrypted, or one made by plain `tar czf`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import PurePosixPath

from worker.engine.archive.chunks import ChunkReader
from worker.engine.archive.frames import HEADER_SIZE, MAGIC
from worker.engine.archive.ranged import SPAN, cut, read_spans
from worker.engine.archive.unpack_frames import unpack_frames
from worker.engine.archive.unpack_gzip import unpack_gzip
from worker.engine.catalogue import BackupInfo
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.metadata import Metadata
from worker.engine.progress import Progress
from worker.engine.storage import Storage

_GZIP_MAGIC = b"\x1f\x8b"


class ArchiveStream:
    """The tar bytes of one archive. Reading to the end has verified all of it."""

    def __init__(self, pieces: Iterator[bytes | bytearray], progress: Progress) -> None:
        self._pieces, self._progress = pieces, progress
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end; b"" when everything is verified."""
        if len(self._rest) >= size:
            out, self._rest = self._rest[:size], self._rest[size:]
            return bytes(out)
        pieces, missing = [self._rest], size - len(self._rest)
        self._rest = memoryview(b"")
        while missing and (piece := next(self._pieces, None)) is not None:
            self._progress.checkpoint()
            view = memoryview(piece)
            pieces.append(view[:missing])
            self._rest = view[missing:]
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


@contextmanager
def open_archive(
    storage: Storage, plan: PlanConfig, backup: BackupInfo, progress: Progress
) -> Iterator[ArchiveStream]:
    """A stream of the archive's tar bytes. Leaving early verifies nothing.

    Raises `KeyMismatch` before any content is fetched, `ArchiveError` for damage.
    """
    stream = ArchiveStream(_unpacked(storage, plan, backup), progress)
    try:
        yield stream
    finally:
        stream.close()


def _unpacked(
    storage: Storage, plan: PlanConfig, backup: BackupInfo
) -> Iterator[bytes | bytearray]:
    digest = hashlib.sha256()
    with closing(_chunks(storage, backup)) as chunks:
        source = ChunkReader(chunks, digest.update)
        head = source.exactly(len(MAGIC))
        source.push_back(memoryview(head))
        if head == MAGIC:
            keys = tuple(k for k in (plan.encryption_key, *plan.previous_keys) if k)
            yield from unpack_frames(source, keys, name=PurePosixPath(backup.key).name)
        elif head.startswith(_GZIP_MAGIC):
            _refuse_downgrade(backup.metadata)
            yield from unpack_gzip(source)
        else:
            raise ArchiveError("The object is neither a Tarkeep archive nor a gzip file.")
    _check_digest(backup.metadata, digest.hexdigest())


def _chunks(storage: Storage, backup: BackupInfo) -> Generator[bytes, None, None]:
    """The whole object. By several requests at once, so that the line is busy while we unpack,
    where its checksum tells if it was replaced between two of them."""
    if backup.metadata is None or backup.size <= SPAN:
        yield from storage.get(backup.key)
        return
    # The first header alone comes first: a wrong key is said before anything else is fetched.
    yield from storage.get(backup.key, 0, HEADER_SIZE)
    for chunks in read_spans(storage, backup.key, cut(HEADER_SIZE, backup.size)):
        yield from chunks


def _refuse_downgrade(metadata: Metadata | None) -> None:
    if metadata is not None and metadata.encrypted:
        raise ArchiveError(
            "The backup's metadata says it is encrypted, but the archive is not.",
            hint="Somebody replaced the archive. Restore another backup.",
        )


def _check_digest(metadata: Metadata | None, digest: str) -> None:
    """Against the metadata's `sha256:` checksum, or the bare hex of the original system."""
    if metadata is None:
        return
    scheme, _, value = metadata.checksum.rpartition(":")
    if scheme in ("", "sha256") and not hmac.compare_digest(value.lower(), digest):
        raise ArchiveError(
            "The archive's checksum is not the one in its metadata.",
            code="ARCHIVE_CHECKSUM",
            hint="It was damaged in the bucket. Restore another backup.",
        )
