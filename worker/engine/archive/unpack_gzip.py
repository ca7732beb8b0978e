"""From the bytes of a gzip file of one or many members to what is inside.

Python's `tarfile` in mode `r|gz` stops after the first member without an error; this does not.
Zeros may follow the last member (tapes and uniform upload parts leave them), nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from isal import isal_zlib

from worker.engine.archive.chunks import ChunkReader
from worker.engine.errors import ArchiveError

_DAMAGED: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub errs
_STEP = 1024 * 1024  # unpacked bytes per step: bounds memory against bombs
_GZIP = 16 + 15  # zlib's code for "a gzip member, any window"


Observe = Callable[[bytes], object]


def unpack_gzip(source: ChunkReader, observe: Observe | None = None) -> Iterator[bytes]:
    """Unpacked bytes, at most 1 MiB at a time. Raises `ArchiveError` for damage.

    `observe` is told the SHA-256 of each member, in order, when it was unpacked whole.
    """
    members = 0
    while piece := source.some():
        if members and not any(piece[:2]):
            _only_zeros(source, piece)
            return
        source.push_back(piece)
        yield from _member(source, observe)
        members += 1


def _member(source: ChunkReader, observe: Observe | None) -> Iterator[bytes]:
    inflate, digest = isal_zlib.decompressobj(wbits=_GZIP), hashlib.sha256()
    last = memoryview(b"")  # what was read last: its end may belong to the next member
    try:
        while not inflate.eof:
            piece: bytes | memoryview = bytes(inflate.unconsumed_tail)
            if not piece:
                if observe is not None:
                    digest.update(last)
                piece = last = _more(source)
            data = inflate.decompress(piece, _STEP)
            if data:
                yield data
    except _DAMAGED as error:
        raise ArchiveError(f"The archive is damaged near byte {source.position}.") from error
    source.push_back(memoryview(inflate.unused_data))
    if observe is not None:
        digest.update(last[: len(last) - len(inflate.unused_data)])
        observe(digest.digest())


def _more(source: ChunkReader) -> memoryview:
    piece = source.some()
    if not piece:
        raise ArchiveError(
            f"The archive ends in the middle, at byte {source.position}.",
            code="ARCHIVE_TRUNCATED",
            hint="It was cut off. Restore another backup.",
        )
    return piece


def _only_zeros(source: ChunkReader, piece: memoryview) -> None:
    while piece:
        if any(piece):
            raise ArchiveError("Something else follows the end of the archive.")
        piece = source.some()
