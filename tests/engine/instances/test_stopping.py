"""Stop, hold, start: order, policy, warnings, and that nothing is left stopped."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

import pytest

from tests.engine.instances.sites import Site
from worker.engine import pulsing
from worker.engine.errors import InstanceError, JobStopped
from worker.engine.instances.config import StopPolicy
from worker.engine.instances.driver import Driver
from worker.engine.instances.recorded import still_stopped
from worker.engine.instances.stopping import Stopped, stop_instances
from worker.engine.progress import Progress, SourceWarning

SHORT = {
    "BACKUP_INSTANCE_STOP_TIMEOUT": "1",
    "BACKUP_INSTANCE_START_TIMEOUT": "10",
    "BACKUP_INSTANCE_READY_TIMEOUT": "2",
}


class Watched(Progress):
    """Remembers, and looks at the instances the moment that something is written down."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.effects: list[dict[str, Any]] = []
        self.running_then: list[list[str]] = []
        self.warnings: list[SourceWarning] = []
        self.checks_left = 99

    def record(self, effect: str, **details: Any) -> None:
        self.effects.append({"effect": effect, **details})
        self.running_then.append(self.site.running())

    def warn(self, warning: SourceWarning) -> None:
        self.warnings.append(warning)

    def checkpoint(self) -> None:
        self.checks_left -= 1
        if self.checks_left < 0:
            raise JobStopped("The job was cancelled")

    @property
    def codes(self) -> list[str]:
        return [warning.code for warning in self.warnings]


def stop(site: Site, progress: Watched, **changes: str) -> Stopped:
    config = site.config(**changes)
    return stop_instances([site.driver(**changes)], progress, config.policy)


def asked(site: Site) -> list[str]:
    """What the commands were told, without the test's own two starts."""
    return (site.folder / "verbs.log").read_text().splitlines()[2:]


def test_what_runs_is_stopped_and_exactly_that_is_started(site: Site):
    progress = Watched(site)
    stopped = stop(site, progress)
    assert site.running() == []
    assert stopped.start() > 0
    assert site.settle(["one", "two"]) == ["one", "two"]
    assert progress.warnings == []


def test_it_is_written_down_before_the_first_is_stopped(site: Site):
    progress = Watched(site)
    name = site.driver().name
    with stop(site, progress):
        assert progress.effects == [
            {"effect": "instances", "driver": name, "ids": site.ids[:2]},
        ]
        assert progress.running_then == [["one", "two"]]
    assert progress.effects[1] == {
        "effect": "instances_started",
        "driver": name,
        "ids": site.ids[:2],
    }


def test_they_are_started_in_reverse_order(commands: Site):
    stop(commands, Watched(commands)).start()
    assert asked(commands) == ["stop one", "stop two", "start two", "start one"]


def test_starting_again_is_done_once(commands: Site):
    stopped = stop(commands, Watched(commands))
    assert stopped.start() == stopped.start()
    assert asked(commands).count("start one") == 1


def test_nothing_is_stopped_when_it_cannot_be_written_down(commands: Site):
    class Broken(Watched):
        def record(self, effect: str, **details: Any) -> None:
            raise ConnectionError("the database is gone")

    with pytest.raises(ConnectionError):
        stop(commands, Broken(commands))
    assert asked(commands) == []


def test_that_they_were_started_may_fail_to_be_written_down(commands: Site):
    class Fickle(Watched):
        def record(self, effect: str, **details: Any) -> None:
            super().record(effect, **details)
            if effect == "instances_started":
                raise ConnectionError("the database is gone")

    stop(commands, Fickle(commands)).start()
    assert commands.running() == ["one", "two"]


def test_an_error_while_they_are_stopped_starts_them(commands: Site):
    with pytest.raises(ZeroDivisionError), stop(commands, Watched(commands)):
        raise ZeroDivisionError
    assert commands.running() == ["one", "two"]


def test_a_job_cancelled_between_two_stops_starts_the_first_again(commands: Site):
    progress = Watched(commands)
    progress.checks_left = 1
    with pytest.raises(JobStopped):
        stop(commands, progress)
    assert asked(commands) == ["stop one", "start one"]
    assert still_stopped(progress.effects) == []


@pytest.mark.row(26)
def test_a_cancelled_run_starts_each_once_and_waits_for_none(commands: Site):
    """Neither for one that does not start, nor for one that is not well."""
    commands.spoil("start", "two", "fail")
    progress = Watched(commands)
    progress.checks_left = 2
    stopped = stop(commands, progress, BACKUP_INSTANCE_HEALTH_COMMAND="false")
    stopped.start()
    assert asked(commands) == ["stop one", "stop two", "start two", "start one"]
    assert progress.codes == ["INSTANCES_NOT_STARTED"]
    assert commands.running() == ["one"]


def test_one_that_somebody_started_meanwhile_is_told(site: Site):
    progress = Watched(site)
    stopped = stop(site, progress)
    site.driver().start(site.ids[1], timeout=30)
    assert site.settle(["two"]) == ["two"]
    stopped.start()
    assert progress.codes == ["INSTANCES_CAME_BACK"]
    assert site.ids[1] in progress.warnings[0].message
    assert site.ids[0] not in progress.warnings[0].message
    assert site.settle(["one", "two"]) == ["one", "two"]


def test_while_an_instance_takes_its_time_the_run_shows_that_it_lives(
    monkeypatch: pytest.MonkeyPatch,
):
    class Slow(Progress):
        """Neither stops nor starts before it was asked whether the run still lives."""

        name = "slow"

        def __init__(self) -> None:
            self.alive = threading.Event()
            self.waited: list[bool] = []

        def pulse(self) -> None:
            self.alive.set()

        def running(self) -> list[str]:
            return ["it"]

        def stop(self, instance: str, *, timeout: float) -> None:
            self.alive.clear()
            self.waited.append(self.alive.wait(timeout))

        def start(self, instance: str, *, timeout: float) -> None:
            self.stop(instance, timeout=timeout)

        def is_healthy(self, instance: str) -> bool:
            return True

    monkeypatch.setattr(pulsing, "_EVERY", 0.05)
    slow = Slow()
    stop_instances([slow], slow, StopPolicy()).start()
    assert slow.waited == [True, True]


@pytest.mark.row(59)
@pytest.mark.parametrize("name", ["commands", "gateway", "docker"])
def test_one_that_cannot_be_stopped_ends_the_run_and_the_others_are_started(name: str, request):
    site: Site = request.getfixturevalue(name)
    site.spoil("stop", "two", "fail")
    progress = Watched(site)
    with pytest.raises(InstanceError, match="could not be stopped") as caught:
        stop(site, progress, **SHORT)
    assert caught.value.code == "INSTANCES_NOT_STOPPED"
    assert site.running() == ["one", "two"]
    assert still_stopped(progress.effects) == []


def test_or_the_run_goes_on_with_a_warning(commands: Site):
    commands.spoil("stop", "one", "fail")
    progress = Watched(commands)
    with stop(commands, progress, **SHORT, BACKUP_INSTANCE_STOP_POLICY="continue"):
        assert commands.running() == ["one"]
    assert progress.codes == ["INSTANCES_NOT_STOPPED"]
    assert commands.running() == ["one", "two"]


@pytest.mark.row(59)
def test_one_that_hangs_while_stopping_is_not_waited_for(commands: Site):
    commands.spoil("stop", "two", "hang")
    with pytest.raises(InstanceError, match="did not end within 1 seconds"):
        stop(commands, Watched(commands), **SHORT)
    assert commands.running() == ["one", "two"]


def test_one_that_stops_too_late_is_started_all_the_same(commands: Site):
    (commands.folder / "two.stubborn").write_text("2.5")
    changes = SHORT | {"BACKUP_INSTANCE_STOP_TIMEOUT": "2"}
    with pytest.raises(InstanceError):
        stop(commands, Watched(commands), **changes)
    assert asked(commands).count("start two") == 1
    assert commands.settle(["one", "two"]) == ["one", "two"]


def test_a_manager_that_cannot_be_asked_ends_the_run_before_anything_is_stopped(commands: Site):
    bad = {"BACKUP_INSTANCE_STATUS_COMMAND": "/nowhere/status {id}"}
    config = commands.config()
    drivers = [commands.driver(), commands.driver(**bad)]
    with pytest.raises(InstanceError) as caught:
        stop_instances(drivers, Watched(commands), config.policy)
    assert caught.value.code == "INSTANCES_NOT_STOPPED"
    assert asked(commands) == []


def test_one_that_does_not_start_at_first_is_tried_again(commands: Site):
    commands.spoil("start", "two", "once")
    progress = Watched(commands)
    stop(commands, progress).start()
    assert commands.running() == ["one", "two"]
    assert progress.warnings == []


@pytest.mark.row(60)
def test_one_that_does_not_start_at_all_is_a_loud_warning_and_no_failure(
    commands: Site, caplog: pytest.LogCaptureFixture
):
    progress = Watched(commands)
    stopped = stop(commands, progress, **SHORT | {"BACKUP_INSTANCE_READY_TIMEOUT": "8"})
    commands.spoil("start", "two", "fail")
    stopped.start()
    assert progress.codes == ["INSTANCES_NOT_STARTED"]
    assert [r.levelno for r in caplog.records if "IS STILL STOPPED" in r.message] == [
        logging.CRITICAL
    ]
    assert commands.running() == ["one"]
    assert still_stopped(progress.effects) == [("command", "two")]
    assert asked(commands).count("start two") > 1


def test_a_driver_that_breaks_keeps_none_of_the_others_stopped(commands: Site):
    class Broken:
        name = "broken"
        runs = True

        def running(self) -> list[str]:
            return ["it"] if self.runs else []

        def stop(self, instance: str, *, timeout: float) -> None:
            self.runs = False

        def start(self, instance: str, *, timeout: float) -> None:
            raise KeyError("State")

        def is_healthy(self, instance: str) -> bool:
            raise KeyError("State")

    broken: Driver = Broken()
    progress = Watched(commands)
    policy = commands.config(**SHORT).policy
    stop_instances([commands.driver(), broken], progress, policy).start()
    assert progress.codes == ["INSTANCES_NOT_STARTED"]
    assert commands.running() == ["one", "two"]


def test_a_driver_that_breaks_after_it_has_stopped_one_gets_to_start_it(commands: Site):
    class Broken:
        name = "broken"
        started: tuple[str, ...] = ()

        def running(self) -> list[str]:
            return ["it"]

        def stop(self, instance: str, *, timeout: float) -> None:
            raise KeyError("State")

        def start(self, instance: str, *, timeout: float) -> None:
            self.started += (instance,)

        def is_healthy(self, instance: str) -> bool:
            return True

    broken = Broken()
    with pytest.raises(KeyError):
        stop_instances([broken], Watched(commands), commands.config(**SHORT).policy)
    assert broken.started == ("it",)


def test_what_is_gone_when_it_is_to_be_started_is_told_once(docker: Site):
    progress = Watched(docker)
    stopped = stop(docker, progress)
    del docker.engine.containers["app-two"]  # type: ignore[attr-defined]
    stopped.start()
    assert progress.codes == ["INSTANCES_GONE"]
    assert still_stopped(progress.effects) == []


def test_an_unhealthy_instance_is_told(docker: Site):
    docker.engine.containers["app-two"].health = "unhealthy"  # type: ignore[attr-defined]
    progress = Watched(docker)
    stop(docker, progress, **SHORT).start()
    assert progress.codes == ["INSTANCES_UNHEALTHY"]
    assert "app-two" in progress.warnings[0].message
    assert "app-one" not in progress.warnings[0].message


@pytest.mark.parametrize(
    ("check", "codes"), [("sys.exit(0)", []), ("sys.exit(1)", ["INSTANCES_UNHEALTHY"])]
)
def test_a_health_command_is_asked_when_there_is_one(commands: Site, check: str, codes: list[str]):
    command = f"'{sys.executable}' -c 'import sys; {check}'"
    progress = Watched(commands)
    stop(commands, progress, **SHORT, BACKUP_INSTANCE_HEALTH_COMMAND=command).start()
    assert progress.codes == codes


def test_a_health_address_is_waited_for(gateway: Site):
    url = gateway.settings["BACKUP_INSTANCE_HTTP_STATUS_URL"].replace("{id}", "one")
    progress = Watched(gateway)
    stop(gateway, progress, **SHORT, BACKUP_INSTANCE_HEALTH_URL=url).start()
    assert progress.codes == ["INSTANCES_UNHEALTHY"]  # it has no token: 401 is not well


def test_without_a_driver_it_is_said_that_nothing_was_stopped(commands: Site):
    progress = Watched(commands)
    stopped = stop_instances([], progress, commands.config().policy)
    assert stopped.start() == 0
    assert progress.codes == ["INSTANCES_NO_DRIVER"]


def test_drivers_are_combined_in_the_order_given(commands: Site, docker: Site):
    """The two share a folder and nothing else."""
    progress = Watched(commands)
    drivers = [docker.driver(), commands.driver()]
    with stop_instances(drivers, progress, commands.config().policy):
        assert commands.running() == docker.running() == []
    assert commands.running() == docker.running() == ["one", "two"]
    assert [(e["effect"], e["driver"]) for e in progress.effects] == [
        ("instances", "docker"),
        ("instances", "command"),
        ("instances_started", "docker"),
        ("instances_started", "command"),
    ]
