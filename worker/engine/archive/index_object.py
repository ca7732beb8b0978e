"""The index file as an object in the bucket: packed and sealed as the archive is.

A run of gzip members, or of frames where there is a key, each of 4 MiB of the SQLite file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from worker.engine.archive.frames import Kind
from worker.engine.archive.keys import MasterKey
from worker.engine.capture.packing import pack_segment
from worker.engine.capture.parts import PartWriter, part_size
from worker.engine.storage import Storage

_BLOCK = 4 * 1024 * 1024
_LEVEL = 6  # it is most of what is sent where nothing changed
_LARGE_LEVEL = 1  # of 100,000 files, say: speed counts
_LARGE = 8 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class IndexObject:
    """A packed index on disk. `size` in bytes, `sha256` in hex, both of the packed file."""

    path: Path
    size: int
    sha256: str


def pack_index(index: Path, packed: Path, master: MasterKey | None) -> IndexObject:
    """Pack the finished index file into the file `packed`."""
    digest, size = hashlib.sha256(), 0
    level = _LEVEL if index.stat().st_size <= _LARGE else _LARGE_LEVEL
    with index.open("rb") as source, packed.open("wb") as target:
        while block := source.read(_BLOCK):
            data = pack_segment(block, level, master, Kind.INDEX).data
            target.write(data)
            digest.update(data)
            size += len(data)
    return IndexObject(packed, size, digest.hexdigest())


def send_index(storage: Storage, key: str, index: IndexObject) -> None:
    """Upload and publish it under `key`."""
    size = part_size(index.size)
    with (
        storage.start_upload(key) as upload,
        PartWriter(upload, size, in_flight=1) as writer,
        index.path.open("rb") as source,
    ):
        while block := source.read(_BLOCK):
            writer.write(block)
        writer.finish()
        writer.complete()
