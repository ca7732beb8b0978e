"""Unpacks an archive the way that is fastest for its size."""

from __future__ import annotations

import logging
from pathlib import Path

from worker.engine import child
from worker.engine.extract.apart import NotStarted, extract_apart
from worker.engine.extract.blocks import Piece, Readable
from worker.engine.extract.extract import ExtractResult, Room, extract
from worker.engine.extract.outside_links import OutsideLinks
from worker.engine.progress import Progress

log = logging.getLogger(__name__)

WORTH = 64 * 1024 * 1024  # bytes packed, from which on a process of its own is


def unpack(
    stream: Readable,
    target: Path,
    progress: Progress,
    *,
    size: int,
    room: Room,
    links: OutsideLinks,
    owner: bool = False,
    setuid: bool = False,
    durable: bool = True,
) -> ExtractResult:
    """As `extract`, which tells the rest. `size`: bytes of the archive as it lies in the bucket."""
    if size >= WORTH and child.worth_it():
        try:
            return extract_apart(
                stream, target, progress, room=room, owner=owner, setuid=setuid, durable=durable,
                links=links,
            )  # fmt: skip
        except NotStarted as reason:
            log.warning("Unpacking in one process, which takes a little longer: %s", reason)
            stream = _Again(reason.begun, stream)
    return extract(
        stream, target, progress, room=room, owner=owner, setuid=setuid, durable=durable,
        outside_link=links,
    )  # fmt: skip


class _Again:
    """The stream from its beginning, of which `begun` was read already."""

    def __init__(self, begun: Piece, rest: Readable) -> None:
        self._begun, self._rest = memoryview(begun), rest

    def read(self, size: int) -> Piece:
        if self._begun:
            out, self._begun = self._begun[:size], self._begun[size:]
            return out
        return self._rest.read(size)
