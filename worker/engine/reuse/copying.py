"""Lets the server copy what is taken over, and looks afterwards what it copied."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, wait
from secrets import SystemRandom

from worker.engine.archive.index import Index, SegmentRow
from worker.engine.capture.senders import Senders
from worker.engine.errors import StorageError
from worker.engine.progress import Progress
from worker.engine.reuse.base import COPY_REFUSED, Base, NotReused
from worker.engine.storage import Storage, Upload, never_came

_AT_ONCE = 3
_LOOK_EVERY = 1.0  # seconds
_SAMPLES = 3
_random = SystemRandom()


def copy_parts(
    upload: Upload,
    base: Base,
    pieces: Iterable[tuple[int, int]],
    progress: Progress,
    *,
    after: int = 0,
) -> int:
    """The bytes [start, end) of the base become the parts behind part `after`; the last's number.

    Raises `NotReused` when the server does not copy: then begin another upload.
    """
    number = after
    waiting: deque[Future[None]] = deque()
    with Senders(_AT_ONCE, "copy") as senders:
        try:
            for number, (start, end) in enumerate(pieces, after + 1):
                waiting.append(senders.submit(_copy, upload, base, number, start, end))
                # The first alone: a server that cannot copy is found out at once.
                while len(waiting) > (_AT_ONCE if number > after + 1 else 0):
                    _await(waiting.popleft(), progress)
            while waiting:
                _await(waiting.popleft(), progress)
        except StorageError as error:
            if never_came(error):
                raise
            never = error.code == "STORAGE_NO_RANGE_COPY"
            code = COPY_REFUSED if never else "COPY_FAILED"
            raise NotReused(code, error.message) from error
    return number


def _await(copied: Future[None], progress: Progress) -> None:
    while not wait([copied], timeout=_LOOK_EVERY).done:
        progress.checkpoint()
    copied.result()
    progress.pulse()


def _copy(upload: Upload, base: Base, number: int, start: int, end: int) -> None:
    part = upload.copy_part(number, base.key, etag=base.etag, first=start, last=end - 1)
    if part.size != end - start:
        raise StorageError("The storage server copied another number of bytes than asked for.")


def sample(index: Index, copied: int) -> tuple[SegmentRow, ...]:
    """Some of the first `copied` segments, chosen at random."""
    numbers = _random.sample(range(copied), min(_SAMPLES, copied))
    rows = (index.query("SELECT * FROM main.segments WHERE id = ?", (n,)) for n in numbers)
    return tuple(SegmentRow._make(row.fetchone()) for row in rows)


def check(storage: Storage, key: str, segments: Iterable[SegmentRow]) -> None:
    """Read the segments back. Raises `NotReused` when one is not what it was."""
    for segment in segments:
        digest = hashlib.sha256()
        for chunk in storage.get(key, segment.offset, segment.offset + segment.length):
            digest.update(chunk)
        if digest.digest() != segment.sha256:
            raise NotReused(
                "COPY_DAMAGED", f"segment {segment.id} is not what it was when it was packed"
            )
