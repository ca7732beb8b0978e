"""A run that dies at any point leaves behind what it takes to start its instances again."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engine.instances.dying_run import WrittenDown, read_effects
from tests.engine.instances.sites import ROOT, Site
from tests.support import appctl
from worker.engine.errors import InstanceError
from worker.engine.instances.recorded import restart_recorded, still_stopped

CRASHES = [
    "instances.noted",
    "instances.stopped",
    "instances.stopped:2",
    "instances.starting",
    "instances.started",
    "instances.started:2",
]


def begin(site: Site, **environment: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "tests.engine.instances.dying_run", str(site.folder)]
    return subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **site.settings, **environment})


def effects(site: Site) -> list[dict[str, Any]]:
    return read_effects(site.folder / "effects")


def wait_for_commands_of_the_dead(folder: Path) -> None:
    """They outlive it by seconds, its lease by a minute and a half."""
    while any(_is_command_in(folder, process) for process in Path("/proc").glob("[0-9]*")):
        time.sleep(0.05)


def _is_command_in(folder: Path, process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return appctl.__file__.encode() in words and bytes(folder) in words


@pytest.mark.parametrize("point", CRASHES)
def test_killed_at_any_step_what_ran_runs_again_and_nothing_else(site: Site, point: str):
    run = begin(site, TARKEEP_CRASH_AT=point)
    assert run.wait(120) == -signal.SIGKILL
    restart_recorded(effects(site), [site.driver()])
    assert site.settle(["one", "two"]) == ["one", "two"]


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_any_moment_what_ran_runs_again(commands: Site, seed: int):
    run = begin(commands)
    time.sleep(random.Random(seed).uniform(0.2, 2.5))
    run.kill()
    run.wait()
    wait_for_commands_of_the_dead(commands.folder)
    restart_recorded(effects(commands), [commands.driver()])
    assert commands.settle(["one", "two"]) == ["one", "two"]


def test_a_run_that_ends_leaves_nothing_to_be_started(site: Site):
    assert begin(site).wait(120) == 0
    assert site.settle(["one", "two"]) == ["one", "two"]
    assert [effect["effect"] for effect in effects(site)] == ["instances", "instances_started"]
    assert still_stopped(effects(site)) == []
    assert restart_recorded(effects(site), [site.driver()]) == []


def test_starting_again_twice_is_starting_once(commands: Site):
    begin(commands, TARKEEP_CRASH_AT="instances.starting").wait(120)
    for _ in range(2):
        restart_recorded(effects(commands), [commands.driver()])
    log = (commands.folder / "verbs.log").read_text().split("\n")
    assert log.count("start one") == log.count("start two") == 2  # once by us, once by the test
    assert log[-3:] == ["start two", "start one", ""]


def test_what_was_stopped_last_is_started_first(commands: Site):
    commands.driver().stop("one", timeout=30)
    commands.driver().stop("two", timeout=30)
    record = WrittenDown(commands.folder / "effects")
    record.record("instances", driver="command", ids=["one", "two"])
    record.record("upload", key="k", uploadId="u")
    names = restart_recorded(effects(commands), [commands.driver()])
    assert names == ["command two", "command one"]


def test_one_that_does_not_start_keeps_none_of_the_others_stopped(commands: Site):
    begin(commands, TARKEEP_CRASH_AT="instances.starting").wait(120)
    commands.spoil("start", "two", "fail")
    with pytest.raises(InstanceError, match="command two") as caught:
        restart_recorded(effects(commands), [commands.driver()])
    assert caught.value.code == "INSTANCES_NOT_STARTED"
    assert commands.running() == ["one"]
    commands.mend("start", "two")
    restart_recorded(effects(commands), [commands.driver()])
    assert commands.running() == ["one", "two"]


def test_what_is_gone_is_told_and_not_tried_for_ever(
    docker: Site, caplog: pytest.LogCaptureFixture
):
    told = [{"effect": "instances", "driver": "docker", "ids": ["app-two", "removed"]}]
    docker.driver().stop("app-two", timeout=5)
    assert restart_recorded(told, [docker.driver()]) == ["docker app-two"]
    assert [r for r in caplog.records if r.levelno == logging.CRITICAL and "removed" in r.message]


def test_a_driver_that_is_no_longer_configured_is_told(caplog: pytest.LogCaptureFixture):
    told = [{"effect": "instances", "driver": "docker", "ids": ["one"]}]
    assert restart_recorded(told, []) == []
    assert "docker one may be stopped" in caplog.text


def test_only_what_was_not_started_counts_as_stopped():
    told = [
        {"effect": "instances", "driver": "docker", "ids": ["one", "two"]},
        {"effect": "instances", "driver": "http", "ids": ["one"]},
        {"effect": "instances_started", "driver": "docker", "ids": ["one"]},
    ]
    assert still_stopped(told) == [("docker", "two"), ("http", "one")]
