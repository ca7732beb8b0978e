"""A file beside the run that says what lies where in its upload, written as it is sent.

One line a segment, and one a part: a CRC-32 in hex, a blank, JSON. It is not synced: it outlives
the process, and of what a power cut leaves, all behind the first line that is not whole is ignored.
It holds names of files and digests, no content and no key, and is for our eyes only (0600).
Trouble with it never troubles the backup: then there is no journal.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import tempfile
import threading
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from worker.engine.archive.index import SegmentRow
from worker.engine.capture.lanes import Slices

PREFIX = ".tarkeep-upload-"
VERSION = 3
log = logging.getLogger(__name__)


def line(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


class Noted(NamedTuple):
    """A segment that was packed to `row`. `files` as `Index.told` gives them: those that begin in
    it, and those of which more is known now."""

    row: SegmentRow
    record: bytes
    files: list[list[Any]]
    slices: Slices | None


def _said(noted: Noted) -> dict[str, Any]:
    row = noted.row
    digests = (digest.hex() for digest in (row.sha256, noted.record, row.content))
    said: dict[str, Any] = {"s": [*row[1:4], *digests], "f": noted.files}
    return said | ({"c": noted.slices} if noted.slices else {})


class Journal:
    """Of one upload. Locked while its run lives, so that nobody takes it for a dead one's."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        """`about`: which upload it is, and how its archive is packed (see `salvage.Left`)."""
        self._file = -1
        self._lock = threading.Lock()
        self.path: Path | None = None
        try:
            self._file, name = tempfile.mkstemp(prefix=PREFIX, dir=folder)  # 0600
            self.path = Path(name)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._give_up(error)
        self._write({"version": VERSION, **about})

    def segments(self, noted: Iterable[Noted]) -> None:
        """These were packed, one after another."""
        self._write(*map(_said, noted))

    def part(self, number: int, crc32: str) -> None:
        """A part is about to be sent. May be called from any thread."""
        self._write({"p": number, "crc32": crc32})

    def discard(self) -> None:
        """The upload is done with, in one way or the other."""
        if self.path:
            self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """The file stays for the next run."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file, self.path = -1, None

    def _write(self, *contents: dict[str, Any]) -> None:
        whole = memoryview(b"".join(map(line, contents)))
        try:
            with self._lock:
                while whole and self._file >= 0:
                    whole = whole[os.write(self._file, whole) :]
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        log.info("this backup could not be gone on with if it broke off: %s", error.strerror)
        with contextlib.suppress(OSError):
            self.discard()
