"""Hooks: when they run, what they are told, and what their failing means."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from worker.engine import hooks
from worker.engine.errors import HookError, JobStopped
from worker.engine.instances.config import HookConfig
from worker.engine.progress import Progress, SourceWarning

TELL = """
import os, sys
told = {name: value for name, value in os.environ.items() if name.startswith("TARKEEP_")}
open(sys.argv[1], "a").write(repr(told) + "\\n")
print("hello from", told["TARKEEP_HOOK"])
"""


class Kept(Progress):
    def __init__(self) -> None:
        self.warnings: list[SourceWarning] = []
        self.effects: list[dict[str, Any]] = []

    def warn(self, warning: SourceWarning) -> None:
        self.warnings.append(warning)

    def record(self, effect: str, **details: Any) -> None:
        self.effects.append({"effect": effect, **details})


def telling(file: Path) -> HookConfig:
    argv = (sys.executable, "-c", TELL, str(file))
    return HookConfig(argv, argv, argv, 30)


def failing() -> HookConfig:
    argv = (sys.executable, "-c", "print('disk full'); raise SystemExit(3)")
    return HookConfig(argv, argv, argv, 30)


def test_each_hook_is_told_job_phase_and_result(tmp_path: Path):
    config, progress = telling(tmp_path / "told"), Kept()
    hooks.before(config, progress, job_id="j1", phase="preparing")
    hooks.after(config, progress, job_id="j1", phase="pruning", result="SUCCEEDED")
    hooks.after(config, progress, job_id="j1", phase="archiving", result="STORAGE_FAILED")
    told = [eval(line) for line in (tmp_path / "told").read_text().splitlines()]
    names = ("TARKEEP_HOOK", "TARKEEP_JOB_ID", "TARKEEP_PHASE", "TARKEEP_RESULT")
    assert [tuple(one[name] for name in names) for one in told] == [
        ("pre", "j1", "preparing", ""),
        ("post", "j1", "pruning", "SUCCEEDED"),
        ("on_error", "j1", "archiving", "STORAGE_FAILED"),
    ]
    assert progress.warnings == []


@pytest.mark.invariant("I8")
def test_nothing_secret_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TARKEEP_SECRET_KEY", "very-secret")
    hooks.before(telling(tmp_path / "told"), Kept(), job_id="j1", phase="preparing")
    assert "very-secret" not in (tmp_path / "told").read_text()


def test_output_goes_into_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "worker.engine.hooks")
    hooks.before(telling(tmp_path / "told"), Kept(), job_id="j1", phase="preparing")
    assert "hook pre: hello from pre" in caplog.messages


@pytest.mark.row(59)
def test_a_pre_hook_that_fails_is_an_error(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "worker.engine.hooks")
    with pytest.raises(HookError, match="it ended with 3") as caught:
        hooks.before(failing(), Kept(), job_id="j1", phase="preparing")
    assert caught.value.code == "HOOK_FAILED"
    assert "hook pre: disk full" in caplog.messages


@pytest.mark.parametrize("result", ["SUCCEEDED", "STORAGE_FAILED"])
def test_a_later_hook_that_fails_is_a_warning(result: str):
    progress = Kept()
    hooks.after(failing(), progress, job_id="j1", phase="pruning", result=result)
    assert [warning.code for warning in progress.warnings] == ["HOOK_FAILED"]


@pytest.mark.row(59)
def test_a_hook_that_hangs_is_ended():
    argv = (sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(HookError, match="did not end within 1 seconds"):
        hooks.before(HookConfig(pre=argv, timeout=1), Kept(), job_id="", phase="preparing")


class Cancelled(Kept):
    """A run that somebody cancels as soon as it shows that it lives."""

    asked = False

    def pulse(self) -> None:
        self.asked = True

    def checkpoint(self) -> None:
        if self.asked:
            raise JobStopped("The job was cancelled")


@pytest.mark.row(26)
def test_a_hook_that_runs_for_long_shows_that_it_lives_and_can_be_cancelled(tmp_path: Path):
    told, slow = tmp_path / "told", (sys.executable, "-c", "import time; time.sleep(60)")
    config = replace(telling(told), pre=slow)
    with pytest.raises(JobStopped), hooks.around(config, Cancelled(), job_id="j1"):
        pass
    assert "'TARKEEP_HOOK': 'on_error', 'TARKEEP_JOB_ID': 'j1'" in told.read_text()
    assert "CANCELLED" in told.read_text()


def test_without_hooks_nothing_happens():
    progress = Kept()
    hooks.before(HookConfig(), progress, job_id="", phase="preparing")
    hooks.after(HookConfig(), progress, job_id="", phase="pruning", result="SUCCEEDED")
    assert progress.effects == progress.warnings == []


def test_a_run_that_died_after_its_pre_hook_is_recognised(tmp_path: Path):
    config, progress = telling(tmp_path / "told"), Kept()
    assert not hooks.left_open(progress.effects)
    hooks.before(config, progress, job_id="j1", phase="preparing")
    assert hooks.left_open(progress.effects)
    hooks.after(config, progress, job_id="j1", phase="pruning", result="LEASE_LOST")
    assert not hooks.left_open(progress.effects)


def test_it_is_written_down_before_the_pre_hook_runs():
    progress = Kept()
    with pytest.raises(HookError):
        hooks.before(failing(), progress, job_id="j1", phase="preparing")
    assert hooks.left_open(progress.effects)
