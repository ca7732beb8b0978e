"""Looking into backups, and getting something out of one, for those who wait for an answer.

All of it runs in the web process, so its time is bounded: the bucket is asked few times, an
archive without index is read through only while it is small, and long walks end early.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Final

from backups_app.plans import demand_here
from worker.engine.archive.browse import Page, list_folder, search
from worker.engine.archive.diff import Counts
from worker.engine.archive.diff_kept import CACHE, DiffPage, open_diff
from worker.engine.archive.fetch import OpenedFile, open_file, open_tar
from worker.engine.archive.index_reader import Entry, IndexReader, open_index
from worker.engine.archive.members import NO_INDEX
from worker.engine.catalogue import BackupInfo, find_backup, list_backups
from worker.engine.compare import UNCHANGED, Effect, Tally
from worker.engine.errors import ArchiveError
from worker.engine.preview_restore import preview_restore
from worker.engine.progress import Progress
from worker.engine.settings import Settings, require
from worker.engine.storage import Storage
from worker.engine.storage.s3 import open_storage
from worker.engine.storage.s3_client import Patience

PATIENCE: Final = Patience(attempts=2, seconds=0)
READ_THROUGH: Final = 64 * 1024 * 1024  # bytes of an archive that may be read for one request
SEARCHED: Final = 20  # backups that one answer to a search without key looks into
SEARCH_SECONDS: Final = 8.0
PREVIEW_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Matches:
    """`found` in which backup; `skipped` are not looked into. `next` is where to go on: a backup's
    key and the id of the last entry (0: at its beginning), None at the end."""

    found: list[tuple[str, Entry]]
    skipped: list[str]
    next: tuple[str, int] | None


@dataclass(frozen=True)
class Changes:
    """`counts` of all changes, None for a page that is not the first."""

    old: str
    new: str
    counts: Counts | None
    page: DiffPage


@dataclass(frozen=True)
class Preview:
    """`complete`: whether the time sufficed; `tally` counts what was met until then."""

    key: str
    tally: Tally
    effects: list[Effect]
    more: bool
    complete: bool


def folder(
    settings: Settings, key: str, path: bytes, *, after: bytes, limit: int
) -> tuple[str, Page]:
    """The backup's key and a page of a folder. `ArchiveError`, `StorageError`, `ConfigError`."""
    with _opened(settings, key) as (backup, index):
        return backup.key, list_folder(index, path, after=after, limit=limit)


def find(
    settings: Settings, pattern: str, key: str, *, start: tuple[str, int] | None, limit: int
) -> Matches:
    """Names that match, in one backup or (`key` empty) in all, the newest first, some at a time."""
    storage, until = _storage(settings), monotonic() + SEARCH_SECONDS
    keys = [key] if key else _newest(settings, storage)
    if start is not None:
        keys = keys if key else [start[0], *(one for one in keys if one < start[0])]
    found: list[tuple[str, Entry]] = []
    skipped: list[str] = []
    for number, one in enumerate(keys):
        enough = len(found) >= limit or number >= SEARCHED or monotonic() > until
        if number and enough:
            return Matches(found, skipped, (one, 0))
        last = start[1] if start is not None and not number else 0
        try:
            page = _search(settings, storage, one, pattern, last, limit - len(found))
        except ArchiveError:  # a damaged one, or one of another key, hides none of the others
            if key:
                raise
            page = None
        if page is None:
            skipped.append(one)
            continue
        found += ((one, entry) for entry in page.entries)
        if page.more:
            return Matches(found, skipped, (one, page.entries[-1].id))
    return Matches(found, skipped, None)


def difference(settings: Settings, old: str, new: str, *, after: int | None, limit: int) -> Changes:
    """A page of what differs between two backups; the first one with the sums over all."""
    kept_in = settings.plan.temp_dir / CACHE
    with (
        _opened(settings, old) as (older, before),
        _opened(settings, new) as (newer, behind),
        open_diff(kept_in, before, behind) as kept,
    ):
        counts = kept.counts() if after is None else None
        return Changes(older.key, newer.key, counts, kept.page(after or 0, limit))


@contextmanager
def one_file(settings: Settings, key: str, path: bytes) -> Iterator[OpenedFile]:
    """The file at `path`, to be streamed while the block lasts. NOT_A_FILE for anything else."""
    storage, backup = _readable(settings, key)
    with open_file(storage, settings.plan, backup, path, Progress()) as opened:
        yield opened


@contextmanager
def as_tar(settings: Settings, key: str, path: bytes) -> Iterator[Iterator[bytes]]:
    """What lies at `path` as a tar stream."""
    storage, backup = _readable(settings, key)
    with open_tar(storage, settings.plan, backup, path, Progress()) as pieces:
        yield pieces


def preview(
    settings: Settings, key: str, *, words: list[str], entries: list[bytes], limit: int
) -> Preview:
    """What a restore would do, with the first `limit` entries that it would touch.

    Raises `EngineError` (OTHER_HOST) where the plan's data lies on another machine.
    """
    demand_here(settings, command="tarkeep restore --dry-run")
    storage, backup = _readable(settings, key)
    tally, more = Tally(), False
    effects: list[Effect] = []
    until = monotonic() + PREVIEW_SECONDS
    plan = settings.plan
    with preview_restore(
        plan, storage, Progress(), backup=backup, words=words, entries=entries
    ) as seen:
        for effect in seen.effects:
            if monotonic() > until:
                return Preview(backup.key, tally, effects, more=True, complete=False)
            tally.add(effect)
            if effect.what != UNCHANGED:
                more = len(effects) >= limit
                effects += [] if more else [effect]
    return Preview(backup.key, tally, effects, more, complete=True)


def _storage(settings: Settings) -> Storage:
    require(settings)
    return open_storage(settings.storage, patience=PATIENCE)


@contextmanager
def _opened(settings: Settings, key: str) -> Iterator[tuple[BackupInfo, IndexReader]]:
    storage, plan = _storage(settings), settings.plan
    backup = find_backup(storage, plan, key)
    with open_index(storage, plan, backup) as index:
        yield backup, index


def _readable(settings: Settings, key: str) -> tuple[Storage, BackupInfo]:
    """The backup, if it can be read in the time of a request: by its index, or being small."""
    storage, plan = _storage(settings), settings.plan
    backup = find_backup(storage, plan, key)
    try:
        with open_index(storage, plan, backup):
            pass
    except ArchiveError as error:
        if error.code not in NO_INDEX or backup.size > READ_THROUGH:
            raise
    return storage, backup


def _newest(settings: Settings, storage: Storage) -> list[str]:
    found = list_backups(storage, settings.plan, with_metadata=False)
    return [backup.key for backup in found]


def _search(
    settings: Settings, storage: Storage, key: str, pattern: str, last: int, limit: int
) -> Page | None:
    """None for a backup without index, or one that was deleted meanwhile."""
    plan = settings.plan
    try:
        backup = find_backup(storage, plan, key)
        with open_index(storage, plan, backup) as index:
            after = index.row(last) if last else None
            return search(index, pattern, after=after, limit=limit)
    except ArchiveError as error:
        if error.code not in (*NO_INDEX, "BACKUP_NOT_FOUND"):
            raise
        return None
