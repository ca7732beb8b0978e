"""The user's own commands before and after a backup: snapshots, notices, whatever they need.

Argument lists from the environment, never a shell, never from the API. Output goes into the
job's log. What a hook is told: TARKEEP_HOOK (pre, stopped, post, on_error), TARKEEP_JOB_ID,
TARKEEP_PHASE and TARKEEP_RESULT; nothing secret is in its environment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from worker.engine.errors import EngineError, HookError
from worker.engine.instances.config import Argv, HookConfig
from worker.engine.instances.process import NotRun, run
from worker.engine.progress import Progress, SourceWarning

log = logging.getLogger(__name__)

SUCCEEDED: Final = "SUCCEEDED"
BEGUN_EFFECT: Final = "hooks"
ENDED_EFFECT: Final = "hooks_ended"


def before(hooks: HookConfig, progress: Progress, *, job_id: str, phase: str) -> None:
    """Run the pre hook. Raises `HookError`, `JobStopped`; call `after` in any case."""
    if hooks.pre or hooks.stopped:
        progress.record(BEGUN_EFFECT)
    if hooks.pre:
        told = _told("pre", job_id, phase, "")
        _run("pre", hooks.pre, hooks.timeout, told, partial(_go_on, progress))


def stopped(hooks: HookConfig, progress: Progress, *, job_id: str) -> None:
    """Run the hook for the moment in which nobody writes. Raises `HookError`, `JobStopped`."""
    if hooks.stopped:
        told = _told("stopped", job_id, "stopping", "")
        _run("stopped", hooks.stopped, hooks.timeout, told, partial(_go_on, progress))


def after(hooks: HookConfig, progress: Progress, *, job_id: str, phase: str, result: str) -> None:
    """Run the post hook when `result` is SUCCEEDED, else the one for errors.

    `result` is SUCCEEDED or the code of the error. Trouble is a warning (HOOK_FAILED): the
    backup is made or failed by then, whatever the hook does.
    """
    good = result == SUCCEEDED
    name, argv = ("post", hooks.post) if good else ("on_error", hooks.on_error)
    try:
        if argv:
            # The run may have been cancelled; its last hook has its time all the same.
            _run(name, argv, hooks.timeout, _told(name, job_id, phase, result), progress.pulse)
    except HookError as error:
        progress.warn(SourceWarning(error.code, "", error.message))
    if hooks.pre or hooks.stopped:
        _tell_ended(progress)


@contextmanager
def around(hooks: HookConfig, progress: Progress, *, job_id: str) -> Iterator[None]:
    """Pre hook, the block, and the hook that fits how the block ended. Raises `HookError`."""
    told = partial(after, hooks, progress, job_id=job_id)
    try:
        before(hooks, progress, job_id=job_id, phase="preparing")
        yield
    except EngineError as error:
        told(phase="failed", result=error.code)
        raise
    except BaseException:
        told(phase="failed", result="ENGINE_FAILED")
        raise
    told(phase="published", result=SUCCEEDED)


def left_open(effects: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a run died after its pre hook: then call `after` with LEASE_LOST for it."""
    names = [effect["effect"] for effect in effects]
    return names.count(BEGUN_EFFECT) > names.count(ENDED_EFFECT)


def _go_on(progress: Progress) -> None:
    progress.pulse()
    progress.checkpoint()


def _told(name: str, job_id: str, phase: str, result: str) -> dict[str, str]:
    return {
        "TARKEEP_HOOK": name,
        "TARKEEP_JOB_ID": job_id,
        "TARKEEP_PHASE": phase,
        "TARKEEP_RESULT": result,
    }


def _run(
    name: str, argv: Argv, timeout: float, told: Mapping[str, str], pulse: Callable[[], None]
) -> None:
    log.info("Hook %s begins", name)
    try:
        say = partial(log.info, "hook %s: %s", name)
        code = run(argv, timeout=timeout, on_line=say, environment=told, pulse=pulse)
    except NotRun as error:
        raise _failed(name, str(error)) from error
    if code:
        raise _failed(name, f"it ended with {code}")


def _failed(name: str, why: str) -> HookError:
    hint = f"Its output is in the job's log. Look at BACKUP_HOOK_{name.upper()}."
    return HookError(f"The hook {name} failed: {why}", hint=hint)


def _tell_ended(progress: Progress) -> None:
    """Not written down, the hook for errors merely runs once more."""
    try:
        progress.record(ENDED_EFFECT)
    except Exception:
        log.exception("That the hooks have ended could not be written down")
