"""A backup, or a part of it, into a folder of its own: the live folder is not touched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.engine.archive.choice import Choice
from worker.engine.archive.reader import open_archive
from worker.engine.catalogue import BackupInfo, find_backup
from worker.engine.config import PlanConfig
from worker.engine.crashpoints import crashpoint
from worker.engine.damage import marking
from worker.engine.errors import TargetError
from worker.engine.extract.extract import ExtractResult
from worker.engine.extract.outside_links import OutsideLinks
from worker.engine.extract.target_errors import as_target_error
from worker.engine.extract.unpack import unpack
from worker.engine.part_fetch import fetch_part
from worker.engine.progress import Counting, Progress
from worker.engine.room import room_for_all
from worker.engine.scratch import GET, scratch, sweep
from worker.engine.storage import Storage
from worker.engine.swap.entry import Entries, move
from worker.engine.swap.journal import sync_folder
from worker.engine.swap.staging import look_like

_FOLDER_MODE = 0o755  # of a folder that its archive has no record of


@dataclass(frozen=True)
class RestoredTo:
    """What was restored into `target`. `bytes` is the content of regular files."""

    key: str
    files: int
    bytes: int
    target: Path
    warnings: int


def run_restore_to(
    plan: PlanConfig,
    storage: Storage,
    progress: Progress,
    *,
    key: str,
    target: Path,
    words: Sequence[str] = (),
    entries: Sequence[bytes] = (),
) -> RestoredTo:
    """Restore what `words` and `entries` choose into `target`, each at its own path; none: all.

    `target` must be missing or an empty folder, and not in the data folder: `TargetError`
    (TARGET_EXISTS, TARGET_INSIDE_DATA). It then holds everything or, after an error, nothing.
    """
    progress.phase("preparing")
    choice = Choice(words, entries) if words or entries else None
    backup = find_backup(storage, plan, key)
    counted = Counting(progress)
    with as_target_error("restoring into the folder"):
        place = _checked(target, plan.data_dir)
        folder = place.parent if _beside(place) else place
        with _parents(place), scratch(folder, counted, prefix=GET) as staged:
            progress.phase("fetching")
            with marking(storage, backup.key, proves=False):
                got = _fetch(storage, plan, backup, choice, staged, counted)
            progress.phase("finishing")
            _put(staged, place)
    return RestoredTo(backup.key, got.files, got.bytes, place, counted.count)


def _checked(target: Path, data_dir: Path) -> Path:
    place, live = target.resolve(), data_dir.resolve()
    if place == live or live in place.parents:
        raise TargetError(
            f"{target} lies in the data folder",
            code="TARGET_INSIDE_DATA",
            hint="Nothing was changed. Choose a folder outside of it.",
        )
    if place.is_dir():
        sweep(place)  # of a run that was killed
    if os.path.lexists(place) and not (place.is_dir() and not any(place.iterdir())):
        raise TargetError(
            f"There is something at {target} already.",
            code="TARGET_EXISTS",
            hint="Nothing was changed. Choose an empty folder, or a new one below it.",
        )
    return place


@contextmanager
def _parents(place: Path) -> Iterator[None]:
    """The folders above the target, those that had to be made gone again after an error."""
    missing = [folder for folder in place.parents if not folder.exists()]
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for folder in missing:
                folder.rmdir()
        raise


def _beside(place: Path) -> bool:
    """Whether what is staged beside the target can take its place by one rename."""
    return not place.exists() or (not place.is_mount() and os.access(place.parent, os.W_OK))


def _fetch(
    storage: Storage,
    plan: PlanConfig,
    backup: BackupInfo,
    choice: Choice | None,
    staged: Path,
    progress: Progress,
) -> ExtractResult:
    ours = backup.metadata is not None  # what was saved comes back, as in any restore
    if choice is not None and not choice.everything:
        got = fetch_part(storage, plan, backup, choice, staged, progress, links=lambda *_: ours)
    else:
        got = _fetch_all(storage, plan, backup, staged, progress)
    if not got.root_recorded:
        staged.chmod(_FOLDER_MODE)
    return got


def _fetch_all(
    storage: Storage, plan: PlanConfig, backup: BackupInfo, staged: Path, progress: Progress
) -> ExtractResult:
    room, ours = room_for_all(staged, backup), backup.metadata is not None
    if (known := backup.metadata) is not None:
        progress.totals(files=known.file_count or 0, bytes=known.data_size or 0)
    owner = os.geteuid() == 0
    with open_archive(storage, plan, backup, progress) as stream:
        return unpack(
            stream,
            staged,
            progress,
            size=backup.size,
            room=room,
            links=OutsideLinks(every=ours),
            owner=owner,
            setuid=plan.restore.keep_setuid,
        )


def _put(staged: Path, place: Path) -> None:
    """One rename, also over an empty folder, or one for each entry where that is a mount point."""
    crashpoint("restore-to.fetched")
    if not _beside(place):
        _move_in(staged, place)
        return
    look_like(place, staged)
    staged.rename(place)
    sync_folder(place.parent)


def _move_in(staged: Path, place: Path) -> None:
    """All of them, or none after an error."""
    done: list[bytes] = []
    with closing(Entries(staged)) as source, closing(Entries(place)) as target:
        try:
            for name in source.names(b""):
                move(source, name, target)
                done.append(name)
            sync_folder(place)
        except OSError:
            for name in done:
                move(target, name, source)
            raise
