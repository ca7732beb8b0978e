"""What a backup would save, without saving anything."""

from __future__ import annotations

import os
from dataclasses import dataclass

from worker.engine.archive.index import Index
from worker.engine.capture.exclude import Excludes
from worker.engine.capture.scan import Scan, ScanTotals, open_root
from worker.engine.capture.workspace import workspace
from worker.engine.config import PlanConfig
from worker.engine.progress import Progress


@dataclass(frozen=True)
class Preview:
    """`totals` of what would be saved; `excluded` counts what the patterns leave out, a folder
    with all below it as one."""

    totals: ScanTotals
    excluded: int


def preview(plan: PlanConfig, progress: Progress) -> Preview:
    """Scan the data folder as a backup does. Raises `SourceError`, `TargetError`."""
    excludes = Excludes(plan.exclude)
    with workspace(plan.temp_dir) as work:
        root, index = open_root(plan.data_dir), Index(work / "index.sqlite3")
        try:
            own = (plan.temp_dir,)
            cross = plan.cross_file_systems
            totals = Scan(root, index, progress, own, exclude=excludes, cross=cross).run()
        finally:
            index.close()
            os.close(root)
    return Preview(totals, excludes.count)
