"""The story of an undo: the newest safety copy and the live folder change places.

What was live becomes a safety copy itself, so an undo can be undone. Where only some entries
were restored the safety copy holds only them, and only they change places.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from worker.engine.config import PlanConfig
from worker.engine.errors import TargetError
from worker.engine.extract.target_errors import as_target_error
from worker.engine.progress import Progress
from worker.engine.replacing import put_in_place
from worker.engine.swap.copies import SafetyCopy, find_copy, safety_copies
from worker.engine.swap.lock import held, not_while_backed_up
from worker.engine.swap.parts import PARTS
from worker.engine.swap.site import ENTRIES, Site, look
from worker.engine.swap.swap import finish_interrupted
from worker.engine.swap.units import is_partial


@dataclass(frozen=True)
class UndoResult:
    """`copy` is the safety copy that is in place now; `safety_copy` what was live until then.

    `safety_copy` is None when nothing was live, or only an empty folder. `mode`, `downtime` as of
    a restore.
    """

    copy: Path
    safety_copy: Path | None
    mode: str
    downtime: float


def newest_copy(data_dir: Path) -> SafetyCopy:
    """The safety copy that an undo puts in place. `TargetError` (NO_SAFETY_COPY) without one."""
    found = safety_copies(data_dir)
    if not found:
        raise TargetError(
            "There is no safety copy to go back to",
            hint="A restore keeps one until BACKUP_SAFETY_COPY_DAYS are over. Restore a backup.",
            code="NO_SAFETY_COPY",
        )
    return found[0]


def chosen_copy(data_dir: Path, name: str) -> SafetyCopy:
    """The safety copy of that name, the newest for an empty one. NO_SAFETY_COPY."""
    return find_copy(data_dir, name) if name else newest_copy(data_dir)


def run_undo(plan: PlanConfig, progress: Progress, *, now: datetime, name: str = "") -> UndoResult:
    """Put the newest safety copy, or the one of that name, in the place of the live folder.

    Raises what `put_in_place` raises, and `TargetError`: NO_SAFETY_COPY, TARGET_BUSY.
    """
    progress.phase("preparing")
    with as_target_error("preparing the undo"):
        finish_interrupted(plan.data_dir)
        site = look(plan.data_dir)
        lock = chosen_copy(plan.data_dir, name).site.lock
    with held(lock), not_while_backed_up(site.live):
        copy = chosen_copy(plan.data_dir, name)
        site = _where(copy, site)
        done = put_in_place(plan, site, copy.path, progress, now=now, rejected=copy.path)
    return UndoResult(copy.path, done.safety_copy, done.mode, done.downtime)


def _where(copy: SafetyCopy, site: Site) -> Site:
    """The copy lies beside the live folder, or inside it, where it was once a mount point."""
    partial = is_partial(copy.path)
    if copy.site.workplace == site.live:
        return replace(copy.site, mode=PARTS if partial else ENTRIES)
    if copy.site.workplace == site.workplace:
        return replace(site, mode=PARTS) if partial else site
    raise TargetError(
        f"{copy.path} lies outside of the file system that the data folder is now",
        hint="Copy its content into the data folder by hand, with the application stopped.",
    )
