"""Rows 70 and 71 where the application is not simply stopped: frozen, not to be stopped, or run by
somebody else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.instances.sites import docker_site
from tests.engine.packing import Heard
from tests.engine.test_undo import LATER, SAVED
from tests.faults.test_restore import STOPPING, live, plan, restore, saved_then_changed, writing
from tests.support.memory_storage import MemoryStorage
from tests.support.places import content, leftovers
from worker.engine.config import PlanConfig
from worker.engine.errors import InstanceError
from worker.engine.instances.config import CommandConfig, InstanceConfig, StopPolicy
from worker.engine.swap.copies import safety_copies

__all__ = ["live", "plan", "writing"]

Writing = tuple[PlanConfig, MemoryStorage]


def with_commands(plan: PlanConfig, **changes: object) -> PlanConfig:
    command = replace(plan.instances.command, **changes)
    return replace(plan, restore=STOPPING, instances=replace(plan.instances, command=command))


def test_row_70_an_application_that_is_only_frozen_is_told_of(writing: Writing) -> None:
    plan, storage = writing
    file = Path(plan.instances.command.stop[2], "one.pid")  # python appctl.py FOLDER stop {id}
    pid = f'"$(cat {file})"'
    frozen = f'case "$(ps -o state= -p {pid})" in T*) exit 3;; esac'
    plan = with_commands(
        plan,
        stop=("sh", "-c", f"kill -STOP {pid}"),
        start=("sh", "-c", f"kill -CONT {pid}"),
        status=("sh", "-c", frozen),
    )
    heard = Heard()
    done = restore(plan, storage, heard)
    told = [one for one in heard.warnings if one.code == "STILL_OPEN"]
    assert [one.path for one in told] == ["log"]
    assert f"process {file.read_text()} " in told[0].message
    assert (done.safety_copy / "log").exists()


def test_row_70_one_that_does_not_stop_is_not_replaced_below_whatever_the_policy(
    writing: Writing,
) -> None:
    plan, storage = writing
    plan = with_commands(plan, stop=(sys.executable, "-c", "raise SystemExit(1)"))
    going_on = replace(plan.instances, policy=StopPolicy(on_failure="continue"))
    with pytest.raises(InstanceError) as refused:
        restore(replace(plan, instances=going_on), storage)
    assert refused.value.code == "INSTANCES_NOT_STOPPED"
    assert (plan.data_dir / "new").read_text() == "later"
    assert (safety_copies(plan.data_dir), leftovers(plan.data_dir)) == ([], [])


@pytest.fixture
def paused(plan: PlanConfig, tmp_path: Path) -> Iterator[tuple[PlanConfig, list[str]]]:
    """Containers that backups only pause, and what their engine is asked for."""
    with docker_site(tmp_path) as site:
        instances = site.config(BACKUP_INSTANCE_DOCKER_ACTION="pause")
        yield replace(plan, restore=STOPPING, instances=instances), site.engine.calls


def test_row_70_containers_that_backups_only_pause_are_stopped(
    paused: tuple[PlanConfig, list[str]],
) -> None:
    plan, calls = paused
    heard = Heard()
    restore(plan, saved_then_changed(plan), heard)
    asked = [call.partition("?")[0].rpartition("/")[2] for call in calls if call[:4] == "POST"]
    assert asked == ["stop", "stop", "start", "start"]
    assert (heard.codes, content(plan.data_dir)) == ([], SAVED)


# An application that Tarkeep does not stop, but whose health it may ask.


def asked(plan: PlanConfig, file: str) -> PlanConfig:
    """It is well while the data folder holds that file."""
    command = ("test", "-e", str(plan.data_dir / file))
    policy = StopPolicy(health_command=command, ready_timeout=0.5)
    return replace(plan, instances=InstanceConfig(policy=policy, command=CommandConfig()))


def test_row_71_one_that_is_not_stopped_is_looked_at_and_gets_its_folder_back(
    plan: PlanConfig,
) -> None:
    storage = saved_then_changed(plan)
    with pytest.raises(InstanceError) as unhealthy:
        restore(asked(plan, "new"), storage)
    assert unhealthy.value.code == "RESTORE_UNHEALTHY"
    assert (content(plan.data_dir), safety_copies(plan.data_dir)) == (LATER, [])


@pytest.mark.parametrize(
    ("file", "codes"), [("state", []), ("sub/inner", ["HEALTH_NOT_ASKED"])], ids=str
)
def test_row_71_one_that_was_not_well_before_does_not_undo_the_restore(
    file: str, codes: list[str], plan: PlanConfig
) -> None:
    storage, heard = saved_then_changed(plan), Heard()
    restore(asked(plan, file), storage, heard)
    assert (content(plan.data_dir), heard.codes) == (SAVED, codes)
