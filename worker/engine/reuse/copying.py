"""Looks afterwards whether what the server copied is what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from secrets import SystemRandom

from worker.engine.archive.index import Index, SegmentRow
from worker.engine.reuse.refused import NotReused
from worker.engine.storage import Storage

_SAMPLES = 3
_random = SystemRandom()


def sample(index: Index, first: int, others: Sequence[int]) -> tuple[SegmentRow, ...]:
    """Some of the `first` segments and of those with the numbers `others`, chosen at random."""
    count = first + len(others)
    chosen = _random.sample(range(count), min(_SAMPLES, count))
    return tuple(index.segment(n if n < first else others[n - first]) for n in chosen)


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
