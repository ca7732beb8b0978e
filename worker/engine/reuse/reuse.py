"""Decides what a backup takes over from the last one, and does it."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from dataclasses import dataclass, field
from typing import Protocol

from worker.engine.archive.index import FileRow, Index, SegmentRow
from worker.engine.archive.keys import MasterKey
from worker.engine.archive.manifest import RECORD
from worker.engine.config import PlanConfig
from worker.engine.errors import StorageError, TargetError
from worker.engine.progress import Progress
from worker.engine.retention import Held
from worker.engine.reuse.base import COPY_REFUSED, Base, NotReused, facts, may_copy, open_base
from worker.engine.reuse.changes import compare, forget, keep, unchanged_segments
from worker.engine.reuse.copying import check, copy_parts, sample
from worker.engine.reuse.layout import MAX_RUNS, MOST_PIECES, Run, choose, cut, find_runs
from worker.engine.storage import MOST_PARTS, Storage, Upload

log = logging.getLogger(__name__)


_PIECES = 400  # parts of a run that broke off, beyond one a stretch


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
    unchanged files and what is in them; `sample` is read back afterwards; `reason` says why
    nothing is taken over from the last backup. Behind that comes what is `resumed`."""

    base: Base | None = None
    runs: tuple[Run, ...] = ()
    files: int = 0
    content: int = 0
    records: bytes = field(default=b"", repr=False)
    sample: tuple[SegmentRow, ...] = ()
    reason: str = ""
    refused: int = 0  # for how many backups the server was not asked to copy
    resumed: Resumed | None = None

    @property
    def segments(self) -> int:
        return _segments(self.runs) + (self.resumed.segments if self.resumed else 0)

    @property
    def size(self) -> int:
        """Bytes that are copied inside the bucket."""
        return sum(run.size for run in self.runs) + (self.resumed.size if self.resumed else 0)

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

    def copy(self, upload: Upload, progress: Progress, *, max_parts: int = MOST_PARTS) -> int:
        """The number of the last part copied, 0 for none. Raises `NotReused`."""
        last = 0
        if self.base is not None:
            parts = cut(self.runs, pieces=MOST_PIECES * max_parts // MOST_PARTS)
            last = copy_parts(upload, self.base, parts, progress)
            progress.advance(files=self.files, bytes=self.content)
        if (old := self.resumed) is not None:
            pieces = cut(old.runs, pieces=_PIECES * max_parts // MOST_PARTS)
            last = copy_parts(upload, old.base, pieces, progress, after=last)
            progress.advance(files=old.files, bytes=old.content)
        return last

    def check(self, storage: Storage, key: str) -> None:
        """Read back some of what was copied into `key`. Damage removes that archive again.

        Raises `NotReused`, `StorageError`.
        """
        try:
            check(storage, key, self.sample)
        except NotReused:
            with contextlib.suppress(StorageError):  # the full backup replaces it anyway
                storage.delete(key)
            raise

    def info(self, plan: PlanConfig, master: MasterKey | None, captured: int) -> dict[str, str]:
        """What the index says for the next backup. `captured`: when the scan began, in
        nanoseconds since the epoch by this machine's clock."""
        told = {"captured": str(captured), "generation": str(self.generation)}
        return {**facts(plan, master), **told, **({"base": self.base.key} if self.base else {})}


def _segments(runs: tuple[Run, ...]) -> int:
    return sum(run.last - run.first + 1 for run in runs)


def full(reason: str) -> Reuse:
    """Nothing is taken over."""
    return Reuse(reason=reason)


def plan_reuse(
    storage: Storage, plan: PlanConfig, master: MasterKey | None, held: Held, index: Index
) -> Reuse:
    """Compare the scanned folder with the last backup; kept segments are in the index then.

    Whatever speaks against it makes a full backup, and never an error.
    """
    if plan.reuse.full_every <= 1:
        return full("FULL_DUE")
    try:
        with open_base(storage, plan, master, held) as base:
            return _take_over(storage, plan, index, base)
    except NotReused as reason:
        log.info("a full backup: %s", reason)
        return Reuse(reason=reason.code, refused=reason.generation)
    except (StorageError, TargetError) as error:
        log.warning("a full backup, as the last one cannot be read: %s", error.message)
        return full("BASE_UNREADABLE")


def _take_over(storage: Storage, plan: PlanConfig, index: Index, base: Base) -> Reuse:
    index.attach(base.index)
    try:
        compare(index, before=base.captured - plan.reuse.settled)
        most = MAX_RUNS * storage.max_parts // MOST_PARTS
        long = choose(find_runs(unchanged_segments(index)), plan.reuse.least_copy, most=most)
        runs = tuple(long)
        if not runs:
            raise NotReused("TOO_LITTLE", "next to nothing is as it was")
        if not may_copy(storage, plan):
            why = "the server does not copy parts of any size"
            raise NotReused(COPY_REFUSED, why, base.generation)
        files, content = keep(index, runs)
    except sqlite3.DatabaseError:
        forget(index)
        raise
    finally:
        index.detach()
    records = b"".join(
        base.records[run.first * RECORD.size : (run.last + 1) * RECORD.size] for run in runs
    )
    chosen = sample(index, sum(run.last - run.first + 1 for run in runs))
    return Reuse(base, runs, files, content, records, chosen)
