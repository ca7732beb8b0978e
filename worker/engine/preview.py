"""What a backup would save, without saving anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from worker.engine.archive.index import Index
from worker.engine.capture.exclude import Excludes
from worker.engine.capture.scan import ScanTotals, open_folder, open_root, scan_of, show
from worker.engine.capture.source import SQLITE_MAGIC, SourceGone, open_source
from worker.engine.capture.sqlite_check import COPIES
from worker.engine.capture.workspace import workspace
from worker.engine.config import PlanConfig
from worker.engine.progress import Progress

_NAMED = 20
_LOOKED_AT = 50  # of the largest files; what is smaller fits into the spool's margin, or nearly
_LARGEST = "SELECT parent, name, size FROM files WHERE kind = 'f' ORDER BY size DESC LIMIT ?"


@dataclass(frozen=True)
class Preview:
    """`totals` of what would be saved; `excluded` counts what the patterns leave out, a folder
    with all below it as one, and names the first of them. Sizes in bytes."""

    totals: ScanTotals
    excluded: int
    excluded_bytes: int
    excluded_names: tuple[str, ...]


class _Measured(Excludes):
    """Also looks how much it keeps out."""

    def __init__(self, plan: PlanConfig, progress: Progress) -> None:
        super().__init__(plan.exclude)
        self._top, self._progress = os.fsencode(plan.data_dir), progress
        self.bytes = 0
        self.names: list[str] = []

    def __call__(self, path: bytes, *, folder: bool) -> bool:
        out = super().__call__(path, folder=folder)
        if out:
            self.names += [show(path) + "/" * folder][: _NAMED - len(self.names)]
            self.bytes += sum(self._sizes(b"%b/%b" % (self._top, path)))
        return out

    def _sizes(self, path: bytes) -> Iterator[int]:
        yield _size(path)
        for folder, _, files in os.walk(path):
            self._progress.checkpoint()
            yield from (_size(b"%b/%b" % (folder, name)) for name in files)


def _size(path: bytes) -> int:
    """Of a file; 0 for what is none, or is gone."""
    try:
        info = os.lstat(path)
    except OSError:
        return 0
    return info.st_size if stat.S_ISREG(info.st_mode) else 0


def preview(plan: PlanConfig, progress: Progress) -> Preview:
    """Scan the data folder as a backup does. Raises `SourceError`, `TargetError`."""
    excludes = _Measured(plan, progress)
    with _scanned(plan, progress, excludes) as (totals, _, _):
        return Preview(totals, excludes.count, excludes.bytes, tuple(excludes.names))


def needed(plan: PlanConfig, progress: Progress) -> int:
    """Bytes of all the data, and of the copies of databases that are made beside it."""
    with _scanned(plan, progress, Excludes(plan.exclude)) as (totals, root, index):
        sizes = islice(_databases(root, index), COPIES)
        return totals.bytes + sum(sizes)


@contextmanager
def _scanned(
    plan: PlanConfig, progress: Progress, excludes: Excludes
) -> Iterator[tuple[ScanTotals, int, Index]]:
    with workspace(plan.temp_dir) as work:
        root, index = open_root(plan.data_dir), Index(work / "index.sqlite3")
        try:
            yield scan_of(plan, root, index, progress, excludes).run(), root, index
        finally:
            index.close()
            os.close(root)


def _databases(root: int, index: Index) -> Iterator[int]:
    """Sizes of those among the largest files that are databases, the largest first."""
    for parent, name, size in index.query(_LARGEST, (_LOOKED_AT,)).fetchall():
        try:
            folder = open_folder(root, index.path(parent))
        except OSError:
            continue
        try:
            source = open_source(folder, name)
            if source.read(len(SQLITE_MAGIC), 0) == SQLITE_MAGIC:
                yield size
            source.close()
        except SourceGone:
            continue
        finally:
            os.close(folder)
