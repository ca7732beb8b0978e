"""Settings of instances and hooks: defaults, what each driver needs, and no secret ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.engine.environment import Environment
from worker.engine.instances.config import HookConfig, InstanceConfig
from worker.engine.instances.reading import read_hooks, read_instances
from worker.engine.instances.variables import INSTANCE_VARIABLES

URL = "http://127.0.0.1:8080/instances"


def read(**values: str) -> tuple[InstanceConfig, dict[str, str]]:
    env = Environment({f"BACKUP_INSTANCE_{name}": v for name, v in values.items()}, Path("/srv"))
    config = read_instances(env)
    return config, {problem.variable: problem.message for problem in env.problems}


def complaints(**values: str) -> set[str]:
    return {name.removeprefix("BACKUP_INSTANCE_") for name in read(**values)[1]}


def test_without_settings_all_is_as_the_classes_say():
    assert read() == (InstanceConfig(), {})


def test_every_default_is_one_that_its_reader_takes():
    assert all(variable.read(variable.default) is not None for variable in INSTANCE_VARIABLES)
    assert len({variable.name for variable in INSTANCE_VARIABLES}) == len(INSTANCE_VARIABLES)


def test_drivers_are_taken_in_their_order():
    config, problems = read(DRIVER="docker, systemd", SYSTEMD_UNITS="a.service")
    assert (config.drivers, problems) == (("docker", "systemd"), {})


@pytest.mark.parametrize("text", ["podman", "docker,none", "docker,docker", "docker,", "none,"])
def test_unknown_or_doubled_drivers_are_refused(text: str):
    assert complaints(DRIVER=text) == {"DRIVER"}


@pytest.mark.parametrize(
    ("driver", "needed"),
    [
        ("docker", set()),
        ("systemd", {"SYSTEMD_UNITS"}),
        ("supervisor", {"SUPERVISOR_PROGRAMS"}),
        ("command", {"STOP_COMMAND", "START_COMMAND", "STATUS_COMMAND"}),
        ("http", {"HTTP_STOP_URL", "HTTP_START_URL", "HTTP_STATUS_URL"}),
        ("none", set()),
    ],
)
def test_a_driver_says_what_it_needs(driver: str, needed: set[str]):
    assert complaints(DRIVER=driver) == needed


def test_a_command_is_split_as_a_shell_would_and_no_further():
    config, _ = read(STOP_COMMAND="ctl 'stop it' $HOME;rm \\\"x\\\" `id`")
    assert config.command.stop == ("ctl", "stop it", "$HOME;rm", '"x"', "`id`")


def test_an_open_quotation_is_refused_and_not_quoted():
    _, problems = read(STOP_COMMAND="ctl --password='secret")
    [message] = problems.values()
    assert "secret" not in message


@pytest.mark.parametrize("text", ["-f", "a b -c", "a;b", "a/b", "a,a", "ä", "$(id)"])
def test_ids_that_could_mean_something_else_are_refused(text: str):
    assert "COMMAND_IDS" in complaints(COMMAND_IDS=text)
    assert "SYSTEMD_UNITS" in complaints(SYSTEMD_UNITS=text)


def test_patterns_are_for_managers_alone():
    assert complaints(SYSTEMD_UNITS="gateway@*.service", SUPERVISOR_PROGRAMS="app:*") == set()
    assert complaints(COMMAND_IDS="*") == {"COMMAND_IDS"}


@pytest.mark.parametrize(
    ("stop", "ids", "wrong"),
    [("/stop", "", False), ("/{id}/stop", "a,b", False), ("/stop", "a", True), ("/{id}", "", True)],
)
def test_ids_and_their_place_go_together(stop: str, ids: str, wrong: bool):
    assert complaints(HTTP_STOP_URL=URL + stop, HTTP_IDS=ids) == ({"HTTP_IDS"} if wrong else set())


@pytest.mark.parametrize(
    "text",
    ["ftp://a/b", "/stop", "http://", "http://a:0/", "http://a:x/", "http://a/ b", "http://a/#b"],
)
def test_an_address_that_is_none_is_refused(text: str):
    assert complaints(HTTP_STOP_URL=text) == {"HTTP_STOP_URL"}


@pytest.mark.parametrize("name", ["HTTP_STOP_URL", "HEALTH_URL", "SUPERVISOR_URL"])
def test_a_password_in_an_address_is_refused_and_not_repeated(name: str):
    _, problems = read(**{name: "http://user:pa55word@host:9001"})
    assert "pa55word" not in str(problems)
    assert list(problems) == [f"BACKUP_INSTANCE_{name}"]


def test_an_at_sign_behind_the_host_is_no_password():
    assert complaints(HTTP_STOP_URL=f"{URL}/a@b/stop") == set()


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("unix:///run/docker.sock", "unix:///run/docker.sock"),
        ("tcp://127.0.0.1:2375", "http://127.0.0.1:2375"),
        ("http://proxy:2375/", "http://proxy:2375"),
    ],
)
def test_docker_s_own_variable_is_understood(given: str, host: str):
    env = Environment({"BACKUP_INSTANCE_DRIVER": "docker", "DOCKER_HOST": given}, Path("/srv"))
    assert read_instances(env).docker.host == host
    assert env.problems == []


@pytest.mark.parametrize(("driver", "problems"), [("docker", 1), ("none", 0)])
def test_docker_s_own_variable_is_looked_at_only_when_docker_is_asked(driver: str, problems: int):
    values = {"BACKUP_INSTANCE_DRIVER": driver, "DOCKER_HOST": "ssh://me@host"}
    env = Environment(values, Path("/srv"))
    read_instances(env)
    assert len(env.problems) == problems


def test_a_stop_may_not_take_longer_than_the_reaper_waits():
    assert complaints(STOP_TIMEOUT="60") == set()
    assert complaints(STOP_TIMEOUT="61") == {"STOP_TIMEOUT"}


def test_health_is_asked_in_one_way():
    assert complaints(HEALTH_URL=URL, HEALTH_COMMAND="true") == {"HEALTH_URL"}


def test_a_token_that_no_header_can_carry_is_refused_and_not_repeated():
    _, problems = read(HTTP_TOKEN="secret\r\nX-Evil: 1")
    assert list(problems) == ["BACKUP_INSTANCE_HTTP_TOKEN"]
    assert "secret" not in str(problems)


def test_hooks_are_read():
    values = {
        "BACKUP_HOOK_PRE": "snap create",
        "BACKUP_HOOK_POST": "snap 'drop it'",
        "BACKUP_HOOK_TIMEOUT": "5",
    }
    env = Environment(values, Path("/srv"))
    assert read_hooks(env) == HookConfig(("snap", "create"), ("snap", "drop it"), (), 5)
    assert read_hooks(Environment({}, Path("/srv"))) == HookConfig()
