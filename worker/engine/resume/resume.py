"""Goes on with the backup that broke off: what it sent and what is unchanged is taken over."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from worker.engine.archive.index import FileRow, Index
from worker.engine.archive.keys import MasterKey
from worker.engine.archive.manifest import RECORD
from worker.engine.config import PlanConfig
from worker.engine.errors import StorageError
from worker.engine.resume.layout import Layout, lines
from worker.engine.resume.salvage import Left, left_over
from worker.engine.reuse.base import Base, facts
from worker.engine.reuse.changes import compare, forget, keep, unchanged_segments
from worker.engine.reuse.layout import Run, choose, find_runs
from worker.engine.reuse.refused import COPY_REFUSED
from worker.engine.reuse.reuse import Resumed, Reuse, full
from worker.engine.storage import MOST_PARTS, Storage, UploadGone

_MOST_RUNS = 100  # parts of an upload are few, and the last backup's copies take many
log = logging.getLogger(__name__)


def go_on(
    storage: Storage,
    plan: PlanConfig,
    master: MasterKey | None,
    index: Index,
    reuse: Reuse,
    work: Path,
) -> Reuse:
    """`reuse`, and what a run that broke off had sent. Never an error.

    Of several such runs the one is chosen of which the most is there; the others are dropped.
    """
    best = _best(storage, plan, facts(plan, master))
    if best is None:
        return reuse
    if reuse.reason == COPY_REFUSED or not storage.abilities(plan).copies:
        best.drop(storage)
        return reuse
    try:
        return _take_over(storage, plan, index, reuse, best, work / "left.sqlite3")
    except StorageError as error:
        log.info("not gone on with the run that broke off: %s", error.message)
        if error.passing and not isinstance(error, UploadGone):
            best.close()  # the next run may
        else:
            best.drop(storage)
        return reuse
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, IndexError):
        log.warning("not gone on with the run that broke off: its journal is damaged")
        best.drop(storage)
        forget(index)
        return full("RESUME_FAILED")


def drop_all(storage: Storage, plan: PlanConfig) -> None:
    """Nothing of what runs left is wanted."""
    for left in left_over(plan):
        left.drop(storage)


def forsake(storage: Storage, uploads: Iterable[tuple[str, str]]) -> None:
    """Abort what earlier attempts had begun; closed ones are gone already."""
    for key, upload_id in uploads:
        try:
            storage.abort_upload(key, upload_id)
        except StorageError as error:
            log.warning("the upload of %s could not be aborted: %s", key, error.message)


def _best(storage: Storage, plan: PlanConfig, wanted: dict[str, str]) -> Left | None:
    best: Left | None = None
    for left in left_over(plan):
        try:
            left.look(storage)
        except StorageError:  # another bucket, perhaps, or a bad moment
            left.close()
            continue
        worse: Left | None = left
        if left.said["facts"] == wanted and left.sent > (best.sent if best else 0):
            best, worse = left, best
        if worse:
            worse.drop(storage)
    return best


def _take_over(
    storage: Storage, plan: PlanConfig, index: Index, reuse: Reuse, left: Left, path: Path
) -> Reuse:
    layout = Layout(path, first=int(left.said["first"]), end=left.size)
    layout.read(said for said in islice(lines(left.path), 1, None) if "s" in said)
    found = left.close_over(storage)
    base = Base(left.key, found.etag, 0, int(left.said["captured"]), path, bytes(layout.records))
    index.attach(path)
    try:
        compare(index, before=base.captured - plan.reuse.settled)
        segments = unchanged_segments(index)
        most = _MOST_RUNS * storage.max_parts // MOST_PARTS
        runs = tuple(choose(find_runs(segments), plan.reuse.least_copy, most=most))
        files, content = keep(
            index, runs, first=reuse.segments, start=sum(run.size for run in reuse.runs)
        )
        rest = _rest(index, layout, runs)
    finally:
        index.detach()
    if not runs:
        left.drop(storage)
        return reuse
    content -= reuse.content + (rest[0].size - rest[1] if rest else 0)
    records = b"".join(_records(base, runs))
    resumed = Resumed(base, left, runs, files - reuse.files, content, records, rest)
    log.info("going on with %s: %d bytes are there", left.key, resumed.size)
    return replace(reuse, resumed=resumed)


def _records(base: Base, runs: tuple[Run, ...]) -> Iterator[bytes]:
    for run in runs:
        yield base.records[run.first * RECORD.size : (run.last + 1) * RECORD.size]


def _rest(index: Index, layout: Layout, runs: tuple[Run, ...]) -> tuple[FileRow, int] | None:
    """The file that was under way, if all that is there of it is taken over."""
    if layout.cut is None or not runs or runs[-1].last != layout.segments - 1:
        return None
    row = index.kept_as(layout.cut.id)
    return (row, layout.cut.offset) if row else None
