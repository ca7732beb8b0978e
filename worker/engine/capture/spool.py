"""Segments on disk between reading and uploading, so that stopped instances wait for neither.

While instances are stopped only reading counts: segments go to the spool at the fastest level,
sealed with a key that this run draws and never writes down. Afterwards they are read back,
packed at the level asked for, and uploaded.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.engine.archive import codec
from worker.engine.archive.frames import HEADER_SIZE, open_frame, parse_header
from worker.engine.archive.index import Index, Like, SegmentRow
from worker.engine.archive.keys import KEY_ID_SIZE, KEY_SIZE, MasterKey, new_params
from worker.engine.capture.lanes import Emit, RawSegment, Slices
from worker.engine.capture.packing import Threads
from worker.engine.capture.pipeline import Pipeline
from worker.engine.capture.workspace import NO_ROOM
from worker.engine.progress import Progress

_LEVEL = 1
_LEFT_FREE = 64 * 1024 * 1024  # bytes that the spool never takes: the index grows beside it
_MARGIN = 256 * 1024 * 1024  # bytes left free for everybody else


class SpoolFull(Exception):
    """The temporary folder has no room for what is to be uploaded later."""

    code = "SPOOL_NO_ROOM"

    def __str__(self) -> str:
        return "the temporary folder has no room for what is read while instances are stopped"


@contextmanager
def _full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise SpoolFull from error
        raise


def fits(folder: Path, size: int) -> bool:
    """Whether `size` bytes of source data surely fit into `folder`, even if none compress."""
    return shutil.disk_usage(folder).free >= size * 1.02 + _MARGIN


class _File:
    """The spool's file, written like an archive."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w+b")
        self.position = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if shutil.disk_usage(self.file.fileno()).free < _LEFT_FREE + len(data):
            raise SpoolFull
        with _full():
            self.file.write(data)
        self.position += len(data)

    def flush(self) -> None:
        with _full():
            self.file.flush()


class _Places:
    """Where members lie goes to the index at once; the spool's own segments stay here."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.lengths: list[int] = []

    def add_segments(self, rows: Iterable[SegmentRow]) -> None:
        self.lengths.extend(row.length for row in rows)

    def locate(self, places: Iterable[tuple[int, int, int]]) -> None:
        self._index.locate(places)


class Spool:
    """Fill it with `submit` and `drain`, then `replay` it once. Leaving the block removes it.

    What fills it raises `SpoolFull`.
    """

    def __init__(self, path: Path, index: Index, progress: Progress, first: int = 0) -> None:
        """`first` is the number of the first segment."""
        self._path, self._progress = path, progress
        self._file, self._places = _File(path), _Places(index)
        self._master = MasterKey(new_params(), os.urandom(KEY_ID_SIZE), os.urandom(KEY_SIZE))
        self._pipeline = Pipeline(
            writer=self._file,
            index=self._places,
            progress=progress,
            packing=Threads(self._master, passing=True),
            level=_LEVEL,
            first=first,
        )
        self._about: list[tuple[int, int, bool, Slices | None, Like | None]] = []

    def submit(self, segment: RawSegment) -> None:
        about = (segment.files, segment.bytes, segment.stored, segment.slices, segment.like)
        self._about.append(about)
        self._pipeline.submit(segment)

    def drain(self) -> None:
        self._pipeline.drain()
        self._file.flush()

    def replay(self, emit: Emit) -> None:
        """Give every segment to `emit`, in order, as it was submitted."""
        self._file.file.seek(0)
        for length, (files, size, stored, slices, like) in zip(
            self._places.lengths, self._about, strict=True
        ):
            frame = memoryview(self._file.file.read(length))
            header = parse_header(frame[:HEADER_SIZE])
            raw = codec.decompress(open_frame(header, frame[HEADER_SIZE:], self._master))
            emit(RawSegment([raw], [], files, size, stored, slices, like))

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pipeline.close()
        self._file.file.close()
        self._path.unlink(missing_ok=True)
