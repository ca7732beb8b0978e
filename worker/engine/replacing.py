"""Put a folder in the place of the live one while the application is stopped, and take it back
if the application is not well on it.

Stop, check the fence, swap, start, look. What was replaced is kept as a safety copy.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from worker.engine.application import Application, stopped
from worker.engine.config import PlanConfig
from worker.engine.crashpoints import crashpoint
from worker.engine.errors import EngineError, InstanceError, JobStopped, TargetError
from worker.engine.extract.target_errors import as_target_error
from worker.engine.progress import Progress, SourceWarning
from worker.engine.swap import about
from worker.engine.swap.about import About
from worker.engine.swap.journal import sync_folder
from worker.engine.swap.left_out import LeftOut, staying
from worker.engine.swap.meanwhile import tell_writers, time_of_files
from worker.engine.swap.site import NEW, Site
from worker.engine.swap.swap import swap


@dataclass(frozen=True)
class Replaced:
    """`safety_copy`: where the old folder lies; None when there was none or it was empty.

    `mode` as in `Site`; `downtime` in seconds, 0 when nothing was stopped.
    """

    mode: str
    safety_copy: Path | None
    downtime: float


def put_in_place(
    plan: PlanConfig, site: Site, staged: Path, progress: Progress, *, now: datetime, rejected: Path
) -> Replaced:
    """Swap `staged`, whole and synced, with the live folder. The caller holds the site's lock.

    Raises `TargetError`, `JobStopped` or `InstanceError`; the live folder is then what it was
    before. RESTORE_UNHEALTHY: the application did not start or was not well, so the old folder
    is back, and the new one lies in `rejected`. The exception is `JobStopped` SWAP_UNSETTLED:
    the disk failed in the middle, and `finish_interrupted` has to go on later.
    """
    safety = site.safety_copy(now)
    with stopped(plan, progress) as application:
        replacing = _Swap(plan, site, progress, application)
        progress.phase("swapping")
        mode = replacing(staged, safety)
        application.start()
        crashpoint("restore.started")
        if application.unwell:
            _swap_back(replacing, safety, rejected, mode)
    progress.phase("finishing")
    kept = safety if mode != NEW and not _removed_empty(site, safety) else None
    if kept:
        _look_back(site, kept, progress)
    return Replaced(mode, kept, application.downtime)


@dataclass(frozen=True)
class _Swap:
    """One swap, written down before it is done; what no backup holds stays with the live folder."""

    plan: PlanConfig
    site: Site
    progress: Progress
    application: Application

    def __call__(self, staged: Path, safety: Path) -> str:
        """The mode that did it."""
        site = self.site
        began = time_of_files(site.lock)
        self.progress.record(
            "swap", live=str(site.live), staged=str(staged), safety=str(safety), mode=site.mode
        )
        self.progress.commit("swap")
        crashpoint("restore.committed")
        with as_target_error("replacing the data folder"):
            about.write(site.about(safety.name), About(began))
        left_out = LeftOut(self.plan.exclude, own=(self.plan.temp_dir,))
        try:
            return swap(site, staged, safety, carried=staying(site, staged, left_out))
        except TargetError as error:
            if os.path.lexists(site.journal):
                raise _unsettled(error, self.application) from error
            site.about(safety.name).unlink(missing_ok=True)
            raise


def _unsettled(error: TargetError, application: Application) -> JobStopped:
    """Neither done nor undone: nothing may start on a folder that is half of each."""
    application.leave()
    return JobStopped(
        f"The data folder was left between old and new: {error.message}",
        hint="Mend the disk. It is tried again by itself; nothing is lost.",
        code="SWAP_UNSETTLED",
    )


def _swap_back(replacing: _Swap, safety: Path, rejected: Path, mode: str) -> None:
    """The old folder back in place, the new one kept to be looked at. Always raises."""
    failed, progress = replacing.application, replacing.progress
    why = ", ".join(failed.unwell)
    progress.phase("swapping back")
    with failed.stopped_again() as application:
        try:
            if mode == NEW:
                progress.commit("swap back")
                _put_aside(replacing.site, rejected)
            else:
                replace(replacing, application=application)(safety, rejected)
        except TargetError as error:
            raise _stuck(why, safety, error) from error
        crashpoint("restore.swapped-back")
        application.start()
    raise _unhealthy(why, rejected, application)


def _put_aside(site: Site, rejected: Path) -> None:
    """There was no folder before, so there is none again."""
    with as_target_error("moving the restored folder away"):
        site.live.rename(rejected)
        sync_folder(site.workplace)


def _stuck(why: str, safety: Path, error: TargetError) -> EngineError:
    return InstanceError(
        f"The application was not well after the swap ({why}), and the folder from before could"
        f" not be put back: {error.message}",
        hint=f"It is kept in {safety}. Mend what is named here, then undo the restore.",
        code="RESTORE_UNHEALTHY",
    )


def _unhealthy(why: str, rejected: Path, application: Application) -> EngineError:
    now = "is still not well on it" if application.unwell else "runs on it again"
    return InstanceError(
        f"The application was not well after the swap ({why}); the folder from before is back"
        f" in place, and the application {now}",
        hint=f"What was put in place is kept in {rejected}: look there and into the application's"
        " log. Is the health check right (BACKUP_INSTANCE_HEALTH_URL)?",
        code="RESTORE_UNHEALTHY",
    )


def _removed_empty(site: Site, safety: Path) -> bool:
    """Keep no copy of an empty folder."""
    with contextlib.suppress(OSError):
        safety.rmdir()
        site.about(safety.name).unlink(missing_ok=True)
        return True
    return False


def _look_back(site: Site, kept: Path, progress: Progress) -> None:
    """Warn of whoever writes to the copy, and of what it holds that no backup holds."""
    told = site.about(kept.name)
    known = about.read(told) or About(time_of_files(site.lock))
    looked = tell_writers(kept, known.replaced_ns, progress)
    with contextlib.suppress(OSError):  # it only spares later looks
        about.write(told, replace(known, files=looked.files, bytes=looked.bytes))
    if known.unsaved:
        message = (
            f"{known.unsaved} entries ({known.unsaved_bytes} bytes) that no backup holds could not"
            f" be brought over; they lie in {kept}, which is kept until you remove it"
        )
        progress.warn(SourceWarning("NOT_IN_BACKUP", "", message))
