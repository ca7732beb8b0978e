"""Open any archive for reading: ours, plain or encrypted, or one made by plain `tar czf`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import PurePosixPath

from worker.engine.archive.chunks import ChunkReader
from worker.engine.archive.frames import HEADER_SIZE, MAGIC
from worker.engine.archive.open_frames import passphrases
from worker.engine.archive.plain import warn_plain
from worker.engine.archive.ranged import SPAN, cut, read_spans
from worker.engine.archive.unpack_frames import unpack_frames
from worker.engine.archive.unpack_gzip import unpack_gzip
from worker.engine.catalogue import BackupInfo, check_name
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.memory import keep_buffers
from worker.engine.metadata import Metadata
from worker.engine.progress import Progress
from worker.engine.storage import Storage

_GZIP_MAGIC = b"\x1f\x8b"


class ArchiveStream:
    """The tar bytes of one archive. Reading to the end has verified all of it."""

    def __init__(self, pieces: Iterator[bytes | bytearray], progress: Progress) -> None:
        self._pieces, self._progress = pieces, progress
        self._rest = memoryview(b"")

    def read(self, size: int) -> memoryview:
        """Up to `size` bytes, not copied; none only when everything is verified."""
        while not self._rest and (piece := next(self._pieces, None)) is not None:
            self._progress.checkpoint()
            self._rest = memoryview(piece)
        out, self._rest = self._rest[:size], self._rest[size:]
        return out

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


@contextmanager
def open_archive(
    storage: Storage,
    plan: PlanConfig,
    backup: BackupInfo,
    progress: Progress,
    *,
    whole: bool = True,
    observe: Callable[[bytes], object] = lambda _: None,
) -> Iterator[ArchiveStream]:
    """A stream of the archive's tar bytes. Leaving early verifies nothing.

    `whole`: hold the object's own checksum against the metadata too where the archive is
    encrypted, and each frame's hash. Its manifest pins every frame by its seal, so that adds
    nothing but time to a restore. `observe` sees the object's own bytes once, in order; needs
    `whole`. Warns of NOT_ENCRYPTED. Raises `KeyMismatch` before any content is fetched,
    `ArchiveError` for damage.
    """
    check_name(backup)
    keep_buffers()
    chunks = _unpacked(storage, plan, backup, progress, observe, whole=whole)
    stream = ArchiveStream(chunks, progress)
    try:
        yield stream
    finally:
        stream.close()


def _unpacked(
    storage: Storage,
    plan: PlanConfig,
    backup: BackupInfo,
    progress: Progress,
    observe: Callable[[bytes], object],
    *,
    whole: bool,
) -> Iterator[bytes | bytearray]:
    tree = is_tree(backup.metadata)
    digest, segments = hashlib.sha256(), hashlib.sha256()

    def seen(chunk: bytes) -> None:
        if not tree:
            digest.update(chunk)
        observe(chunk)

    with closing(_chunks(storage, backup)) as chunks:
        source = ChunkReader(chunks, seen)
        head = source.exactly(len(MAGIC))
        source.push_back(memoryview(head))
        if head == MAGIC:
            if not whole:
                source.ignore()
            name = PurePosixPath(backup.key).name
            hashed = segments.update if whole else None
            yield from unpack_frames(source, passphrases(plan), name=name, observe=hashed)
            if not whole:
                return
        elif head.startswith(_GZIP_MAGIC):
            _refuse_downgrade(backup.metadata)
            warn_plain(plan, progress)
            yield from unpack_gzip(source, segments.update if tree else None)
        else:
            raise ArchiveError("The object is neither a Tarkeep archive nor a gzip file.")
    _check_digest(backup.metadata, (segments if tree else digest).hexdigest())


def _chunks(storage: Storage, backup: BackupInfo) -> Generator[bytes, None, None]:
    """The whole object. By several requests at once, so that the line is busy while we unpack,
    where its checksum tells if it was replaced between two of them."""
    known = backup.metadata
    if known is None or (backup.size <= SPAN and not known.encrypted):
        yield from storage.get(backup.key)
        return
    # The first header alone comes first: a wrong key is said before anything else is fetched.
    yield from storage.get(backup.key, 0, HEADER_SIZE)
    for chunks in read_spans(storage, backup.key, cut(HEADER_SIZE, backup.size)):
        chunks.reverse()
        while chunks:  # none is kept once it was read
            yield chunks.pop()


def _refuse_downgrade(metadata: Metadata | None) -> None:
    if metadata is not None and metadata.encrypted:
        raise ArchiveError(
            "The backup's metadata says it is encrypted, but the archive is not.",
            hint="Somebody replaced the archive. Restore another backup.",
        )


def is_tree(metadata: Metadata | None) -> bool:
    """Whether the checksum is the SHA-256 over the segments' SHA-256s."""
    return metadata is not None and metadata.checksum.startswith("sha256-tree:")


def _check_digest(metadata: Metadata | None, digest: str) -> None:
    """Against the metadata's checksum, or the bare hex of the original system."""
    if metadata is None:
        return
    scheme, _, value = metadata.checksum.rpartition(":")
    if scheme in ("", "sha256", "sha256-tree") and not hmac.compare_digest(value.lower(), digest):
        raise ArchiveError(
            "The archive's checksum is not the one in its metadata.",
            code="ARCHIVE_CHECKSUM",
            hint="It was damaged in the bucket. Restore another backup.",
        )
