"""Decides what a backup takes over from the last one, and does it."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from worker.engine.archive.index import FileRow, Index, SegmentRow
from worker.engine.archive.keys import MasterKey
from worker.engine.archive.manifest import RECORD
from worker.engine.capture.parts import PartWriter
from worker.engine.capture.pieces import Copy
from worker.engine.capture.stretch import Source
from worker.engine.config import PlanConfig
from worker.engine.errors import StorageError, TargetError
from worker.engine.progress import Progress
from worker.engine.retention import Held
from worker.engine.reuse.base import Base, facts, open_base
from worker.engine.reuse.changes import (
    compare,
    forget,
    keep,
    look_again,
    nothing_changed,
    unchanged_segments,
)
from worker.engine.reuse.copying import check
from worker.engine.reuse.layout import MAX_RUNS, Run, choose, find_runs
from worker.engine.reuse.refused import NotReused
from worker.engine.storage import MOST_PARTS, Storage

log = logging.getLogger(__name__)


class Left(Protocol):
    """What a run that broke off has left in the bucket and here (`resume.salvage`)."""

    def drop(self, storage: Storage) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Resumed:
    """What a run that broke off had sent already. `rest`: a file that was under way, and how
    many of its bytes are there."""

    base: Base
    left: Left
    runs: tuple[Run, ...]
    files: int
    content: int
    records: bytes = field(repr=False)
    rest: tuple[FileRow, int] | None

    @property
    def segments(self) -> int:
        return _segments(self.runs)

    @property
    def size(self) -> int:
        return sum(run.size for run in self.runs)


@dataclass(frozen=True)
class Reuse:
    """What comes first in the new archive. Sizes in bytes; `files` and `content` are the
    unchanged files and what is in them; `reason` says why nothing is taken over from the last
    backup. Behind that comes what is `resumed`. `deep`: everything is read and compared. `same`:
    nothing changed, and nothing is to be stored."""

    base: Base | None = None
    runs: tuple[Run, ...] = ()
    files: int = 0
    content: int = 0
    records: bytes = field(default=b"", repr=False)
    reason: str = ""
    deep: bool = False
    same: bool = False
    refused: int = 0  # for how many backups the server was not asked to copy
    resumed: Resumed | None = None

    @property
    def segments(self) -> int:
        return _segments(self.runs) + (self.resumed.segments if self.resumed else 0)

    @property
    def unchanged(self) -> int:
        """Bytes of source data that are not read again."""
        return self.content + (self.resumed.content if self.resumed else 0)

    @property
    def all_records(self) -> bytes:
        return self.records + (self.resumed.records if self.resumed else b"")

    @property
    def generation(self) -> int:
        return self.base.generation if self.base else self.refused

    @property
    def source(self) -> Source | None:
        """Where what is read may stand already."""
        base = self.base
        return Source(base.key, base.etag, base.records) if base else None

    def copy(self, writer: PartWriter, progress: Progress) -> None:
        """Begin the archive. Raises `NotReused` where the server does not copy."""
        if self.base is not None:
            _copy(writer, self.base, self.runs)
            progress.advance(files=self.files, bytes=self.content)
        if (old := self.resumed) is not None:
            _copy(writer, old.base, old.runs)
            progress.advance(files=old.files, bytes=old.content)

    def check(self, storage: Storage, key: str, some: Iterable[SegmentRow]) -> None:
        """Read back some of what was copied into `key`. Damage removes that archive again.

        Raises `NotReused`, `StorageError`.
        """
        try:
            check(storage, key, some)
        except NotReused:
            with contextlib.suppress(StorageError):  # the full backup replaces it anyway
                storage.delete(key)
            raise

    def info(self, plan: PlanConfig, master: MasterKey | None, captured: int) -> dict[str, str]:
        """What the index says for the next backup. `captured`: when the scan began, in
        nanoseconds since the epoch by this machine's clock."""
        told = {"captured": str(captured), "generation": str(self.generation)}
        return {**facts(plan, master), **told, **({"base": self.base.key} if self.base else {})}


def _copy(writer: PartWriter, base: Base, runs: Iterable[Run]) -> None:
    for run in runs:
        writer.copy(Copy(base.key, base.etag, run.start, run.end))


def _segments(runs: tuple[Run, ...]) -> int:
    return sum(run.last - run.first + 1 for run in runs)


def full(reason: str) -> Reuse:
    """Nothing is taken over."""
    return Reuse(reason=reason)


def open_for(
    stack: ExitStack, storage: Storage, plan: PlanConfig, master: MasterKey | None, held: Held
) -> Base | Reuse:
    """The last backup, to be compared with; or what is done without it.

    Whatever speaks against it makes a full backup, and never an error.
    """
    if plan.reuse.full_every <= 1:
        return full("FULL_DUE")
    try:
        return open_base(stack, storage, plan, master, held)
    except NotReused as reason:
        return _full_for(reason)
    except (StorageError, TargetError) as error:
        log.warning("a full backup, as the last one cannot be read: %s", error.message)
        return full("BASE_UNREADABLE")


def take_over(
    storage: Storage, plan: PlanConfig, index: Index, base: Base, *, deep: bool = False
) -> Reuse:
    """Compare the scanned folder with the base; kept segments are in the index then."""
    deep = deep or _is_deep(plan, base)
    index.attach(base.index)
    try:
        compare(index, before=base.captured - plan.reuse.settled, deep=deep)
        if plan.reuse.skips and nothing_changed(index):
            return Reuse(base, same=True)
        if base.hindrance:
            return _full_for(base.hindrance)
        runs = _chosen(storage, plan, index, base)
        files, content = keep(index, runs)
        if not look_again(index) and not runs:
            return _full_for(NotReused("TOO_LITTLE", "next to nothing is as it was"))
    except sqlite3.DatabaseError as error:
        forget(index)
        log.warning("a full backup, as the last one's index cannot be read: %s", error)
        return full("BASE_UNREADABLE")
    finally:
        index.detach()
    records = b"".join(
        base.records[run.first * RECORD.size : (run.last + 1) * RECORD.size] for run in runs
    )
    return Reuse(base, runs, files, content, records, deep=deep)


def _full_for(reason: NotReused) -> Reuse:
    log.info("a full backup: %s", reason)
    return Reuse(reason=reason.code, refused=reason.generation)


def _chosen(storage: Storage, plan: PlanConfig, index: Index, base: Base) -> tuple[Run, ...]:
    most = MAX_RUNS * storage.max_parts // MOST_PARTS
    worth = plan.reuse.worth if base.joins else None
    found = find_runs(unchanged_segments(index))
    return tuple(choose(found, plan.reuse.least_copy, most=most, worth=worth))


def _is_deep(plan: PlanConfig, base: Base) -> bool:
    """Whether all is read and compared this time; never while instances wait for it."""
    waiting = plan.stop_instances and not plan.read_dir
    every = plan.reuse.deep_every
    return bool(every) and base.generation % every == 0 and not waiting
