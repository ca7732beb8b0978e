"""Unpacks an archive the way that is fastest for its size."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from worker.engine.extract.apart import extract_apart
from worker.engine.extract.blocks import Readable
from worker.engine.extract.extract import ExtractResult, Room, extract
from worker.engine.extract.outside_links import OutsideLinks
from worker.engine.progress import Progress

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
    if size >= WORTH and len(os.sched_getaffinity(0)) > 1 and sys.executable:
        return extract_apart(
            stream, target, progress, room=room, owner=owner, setuid=setuid, durable=durable,
            links=links,
        )  # fmt: skip
    return extract(
        stream, target, progress, room=room, owner=owner, setuid=setuid, durable=durable,
        outside_link=links,
    )  # fmt: skip
