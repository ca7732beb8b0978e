"""Brings the chosen part of a backup into an empty folder, checked as it comes."""

from __future__ import annotations

import os
from pathlib import Path

from worker.engine.archive.choice import Choice
from worker.engine.archive.members import ByIndex, Through, open_members
from worker.engine.archive.pick import Picked
from worker.engine.archive.reader import ArchiveStream
from worker.engine.catalogue import BackupInfo
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.extract.extract import ExtractResult, LinkRule, Room, extract
from worker.engine.progress import Progress
from worker.engine.room import free_space, room_for_part
from worker.engine.storage import Storage


def fetch_part(
    storage: Storage,
    plan: PlanConfig,
    backup: BackupInfo,
    choice: Choice,
    target: Path,
    progress: Progress,
    *,
    links: LinkRule,
) -> ExtractResult:
    """Unpack what `choice` means into the empty folder `target`, each entry at its own path.

    With an index only the segments that hold it are fetched, and the room that it needs is
    looked at first; without one the archive is read through. Raises `ArchiveError`
    (PATH_NOT_FOUND for a word that meets nothing), `TargetError`, `StorageError`, `JobStopped`.
    """
    with open_members(storage, plan, backup, progress) as members:
        room = _room(members, choice, target, progress)
        stream = ArchiveStream(Picked(members, choice).pieces(), progress)
        owner = os.geteuid() == 0
        try:
            got = extract(
                stream,
                target,
                progress,
                room=room,
                owner=owner,
                setuid=plan.restore.keep_setuid,
                outside_link=links,
            )
        finally:
            stream.close()
    if not os.listdir(target):  # noqa: PTH208  (names, not paths)
        raise ArchiveError(
            "Nothing of what was chosen can be restored.",
            code="NOT_A_FILE",
            hint="Pipes, and links out of a folder made elsewhere, are not restored.",
        )
    return got


def _room(members: ByIndex | Through, choice: Choice, target: Path, progress: Progress) -> Room:
    """What may be unpacked; `TargetError` (TARGET_NO_SPACE) where it is known to be too little."""
    if not isinstance(members, ByIndex):
        return Room(members.limits, free_space(target))
    needed = members.measure(choice)
    progress.totals(files=needed.files, bytes=needed.bytes)
    return room_for_part(target, needed.entries, needed.bytes)
