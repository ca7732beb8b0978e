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
from worker.engine.config import StorageConfig
from worker.engine.instances.command import CommandDriver
from worker.engine.instances.config import CommandConfig
from worker.engine.instances.driver import Driver
from worker.engine.instances.journal import Journal, bring_up
from worker.engine.instances.recorded import failures, restarts, still_stopped, untried

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


def restart(told: list[dict[str, Any]], *drivers: Driver) -> list[str]:
    """Start what is stopped, write that into `told`, and name what runs now."""
    names = []
    for one in list(restarts(told, drivers, timeout=30)):
        told[:] = one.noted(told)
        names += [] if one.error else [f"{one.driver} {one.id}"]
    return names


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
    restart(effects(site), site.driver())
    assert site.settle(["one", "two"]) == ["one", "two"]


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_any_moment_what_ran_runs_again(commands: Site, seed: int):
    run = begin(commands)
    time.sleep(random.Random(seed).uniform(0.2, 2.5))
    run.kill()
    run.wait()
    wait_for_commands_of_the_dead(commands.folder)
    restart(effects(commands), commands.driver())
    assert commands.settle(["one", "two"]) == ["one", "two"]


def test_a_run_that_ends_leaves_nothing_to_be_started(site: Site):
    assert begin(site).wait(120) == 0
    assert site.settle(["one", "two"]) == ["one", "two"]
    assert [effect["effect"] for effect in effects(site)] == ["instances", "instances_started"]
    assert still_stopped(effects(site)) == []
    assert restart(effects(site), site.driver()) == []


def test_starting_again_twice_is_starting_once(commands: Site):
    begin(commands, TARKEEP_CRASH_AT="instances.starting").wait(120)
    for _ in range(2):
        restart(effects(commands), commands.driver())
    log = (commands.folder / "verbs.log").read_text().split("\n")
    assert log.count("start one") == log.count("start two") == 2  # once by us, once by the test
    assert log[-3:] == ["start two", "start one", ""]


def test_what_was_stopped_last_is_started_first(commands: Site):
    commands.driver().stop("one", timeout=30)
    commands.driver().stop("two", timeout=30)
    record = WrittenDown(commands.folder / "effects")
    record.record("instances", driver="command", ids=["one", "two"])
    record.record("upload", key="k", uploadId="u")
    names = restart(effects(commands), commands.driver())
    assert names == ["command two", "command one"]


def test_one_that_does_not_start_keeps_none_of_the_others_stopped(commands: Site):
    begin(commands, TARKEEP_CRASH_AT="instances.starting").wait(120)
    commands.spoil("start", "two", "fail")
    told = effects(commands)
    assert restart(told, commands.driver()) == ["command one"]
    assert commands.running() == ["one"]
    assert still_stopped(told) == [("command", "two")]
    assert failures(told)[("command", "two")]
    commands.mend("start", "two")
    assert restart(told, commands.driver()) == ["command two"]
    assert commands.running() == ["one", "two"]
    assert still_stopped(told) == []
    assert failures(told) == {}


def test_what_failed_comes_last_the_next_time():
    driver = CommandDriver(CommandConfig(stop=("true",), start=("false",), status=("false",)))
    told: list[dict[str, Any]] = [
        {"effect": "instances", "driver": "command", "ids": ["a", "b", "c"]}
    ]
    tried = restarts(told, [driver], timeout=1)
    told = next(tried).noted(told)
    told = next(tried).noted(told)
    assert list(failures(told)) == [("command", "c"), ("command", "b")]
    assert untried(told) == [("command", "a")]
    assert [one.id for one in restarts(told, [driver], timeout=1)] == ["a", "c", "b"]


def test_what_is_gone_is_told_and_not_tried_for_ever(
    docker: Site, caplog: pytest.LogCaptureFixture
):
    told = [{"effect": "instances", "driver": "docker", "ids": ["app-two", "removed"]}]
    docker.driver().stop("app-two", timeout=5)
    assert restart(told, docker.driver()) == ["docker app-two"]
    assert [r for r in caplog.records if r.levelno == logging.CRITICAL and "removed" in r.message]


def test_a_driver_that_is_no_longer_configured_is_told(caplog: pytest.LogCaptureFixture):
    told = [{"effect": "instances", "driver": "docker", "ids": ["one"]}]
    assert restart(told) == []
    assert "the driver docker is no longer configured" in caplog.text


def test_only_what_was_not_started_counts_as_stopped():
    told = [
        {"effect": "instances", "driver": "docker", "ids": ["one", "two"]},
        {"effect": "instances", "driver": "http", "ids": ["one"]},
        {"effect": "instances_started", "driver": "docker", "ids": ["one"]},
    ]
    assert still_stopped(told) == [("docker", "two"), ("http", "one")]


def backup_by_hand(site: Site, bucket: StorageConfig, **environment: str) -> int:
    (site.folder / "data").mkdir(exist_ok=True)
    (site.folder / "data" / "state").write_text("x")
    variables = {
        "BACKUP_S3_BUCKET": bucket.bucket,
        "BACKUP_S3_ENDPOINT": bucket.endpoint or "",
        "BACKUP_S3_ACCESS_KEY": bucket.access_key,
        "BACKUP_S3_SECRET_KEY": bucket.secret_key,
        "BACKUP_STOP_INSTANCES": "true",
        "BACKUP_DATA_DIR": str(site.folder / "data"),
        "BACKUP_TEMP_DIR": str(site.folder / "temp"),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        [sys.executable, "-m", "worker.engine.cli", "backup"],
        cwd=site.folder,
        env={**os.environ, **site.settings, **variables, **environment},
    ).returncode


def left_behind(site: Site) -> list[Path]:
    return list((site.folder / "temp").glob(".tarkeep-stopped-*"))


@pytest.mark.parametrize("point", ["instances.noted", "instances.stopped:2", "instances.starting"])
def test_a_backup_by_hand_that_is_killed_is_seen_to_by_whoever_comes_next(
    commands: Site, storage_config: StorageConfig, point: str
):
    code = backup_by_hand(commands, storage_config, TARKEEP_CRASH_AT=point)
    assert code == -signal.SIGKILL
    assert len(left_behind(commands)) == 1
    bring_up(commands.folder / "temp", commands.config())
    assert commands.settle(["one", "two"]) == ["one", "two"]
    assert left_behind(commands) == []


def test_the_next_backup_by_hand_sees_to_it_as_well_and_leaves_nothing(
    commands: Site, storage_config: StorageConfig
):
    backup_by_hand(commands, storage_config, TARKEEP_CRASH_AT="instances.starting")
    assert commands.running() == []
    assert backup_by_hand(commands, storage_config) == 0
    assert commands.settle(["one", "two"]) == ["one", "two"]
    assert left_behind(commands) == []


def test_what_a_run_that_lives_has_stopped_is_left_alone(commands: Site):
    run = Journal(commands.folder)
    commands.driver().stop("one", timeout=30)
    run.record("instances", driver="command", ids=["one"])
    bring_up(commands.folder, commands.config())
    assert commands.running() == ["two"]
    run.close()
    commands.spoil("start", "one", "fail")
    bring_up(commands.folder, commands.config())
    assert commands.running() == ["two"]
    commands.mend("start", "one")
    bring_up(commands.folder, commands.config())
    assert commands.running() == ["one", "two"]
    assert not list(commands.folder.glob(".tarkeep-stopped-*"))
