"""What became of a swap that broke off: said on its job once it is settled, in an alert before."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from backups_app import events
from backups_app.models import FolderTrouble, Job
from worker.engine.errors import EngineError
from worker.engine.swap.site import NEW
from worker.engine.swap.swap import Outcome

log = logging.getLogger(__name__)

UNSETTLED: Final = "SWAP_UNSETTLED"
_GONE: Final = "The worker that ran this job is gone"
_PASSING: Final = ("TARGET_BUSY", "SOURCE_BUSY")  # somebody is at it right now

# The state of the folder, what is said of it, and what one may do about it.
_OLD: Final = ("old", "the data folder is as it was before", "Start it again when you like.")
_NEW: Final = ("new", "the data folder is the new one", "To go back, undo it.")
_BACK: Final = (
    "back",
    "the application was not well on the new data folder, so the one from before is back",
    "Look into the folder that was put in place, and into the application's log.",
)


def remember(plan: str, error: EngineError | None) -> None:
    """For the alerts: why a swap is not settled, or (None) that none is left so."""
    rows = FolderTrouble.objects.filter(plan=plan, code=UNSETTLED)
    if error is None:
        rows.delete()
    elif error.code not in _PASSING and not rows.filter(message=error.message).exists():
        rows.delete()
        message = f"The data folder is between old and new: {error.message}"
        FolderTrouble.objects.create(plan=plan, code=UNSETTLED, message=message, hint=error.hint)


def tell(job: Job, outcome: Outcome) -> None:
    """Say on the job of a dead run what the data folder is now. Once."""
    if "folder" in job.result:
        return
    state, said, hint, kept = _of(job, outcome)
    result = {**job.result, "folder": state}
    if kept is not None:
        said = f"{said}; the other one is kept in {kept}"
        result["rejected" if state == "back" else "safetyCopy"] = kept
    job.update(
        result=result, error_code=_code(job), error_message=f"{_GONE}; {said}", error_hint=hint
    )
    events.announce(job.pk)


def _code(job: Job) -> str:
    return "LEASE_LOST" if job.error_code == UNSETTLED else job.error_code


def _of(job: Job, outcome: Outcome) -> tuple[str, str, str, str | None]:
    """By what lies where its last swap was to put the folder that it replaced."""
    swaps = [effect for effect in job.effects if effect["effect"] == "swap"]
    if not swaps:
        return (*_OLD, None)
    last, kept = swaps[-1], next((one for one in reversed(swaps) if _is_there(one)), None)
    if kept is None:
        placed = outcome is Outcome.FINISHED or (
            last["mode"] == NEW and Path(last["live"]).exists()
        )
        return (*(_NEW if placed else _OLD), None)
    went_back = kept is last and len(swaps) > 1
    told = _BACK if went_back else _NEW
    return (*told, str(kept["safety"]))


def _is_there(swap: Mapping[str, Any]) -> bool:
    return os.path.lexists(swap["safety"])
