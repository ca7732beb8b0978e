"""From the table's rows to `InstanceConfig` and `HookConfig`; problems stay with `env`."""

from __future__ import annotations

from typing import Any, Final, Literal, cast

from worker.engine.environment import Environment, Variable
from worker.engine.instances import variables as v
from worker.engine.instances.config import (
    Argv,
    CommandConfig,
    DockerConfig,
    GatewayConfig,
    HookConfig,
    InstanceConfig,
    StopPolicy,
    SupervisorConfig,
    SystemdConfig,
)

_NEEDED: Final[dict[str, tuple[Variable[Any], ...]]] = {
    "systemd": (v.SYSTEMD_UNITS,),
    "supervisor": (v.SUPERVISOR_PROGRAMS,),
    "command": (v.STOP_COMMAND, v.START_COMMAND, v.STATUS_COMMAND),
    "http": (v.HTTP_STOP_URL, v.HTTP_START_URL, v.HTTP_STATUS_URL),
}


def read_instances(env: Environment) -> InstanceConfig:
    """All of it, checked; what is wrong is told to `env` and its default stands."""
    drivers = env.get(v.DRIVER)
    config = InstanceConfig(
        drivers=drivers,
        policy=_policy(env),
        docker=_docker(env, chosen="docker" in drivers),
        systemd=SystemdConfig(units=env.get(v.SYSTEMD_UNITS), user=env.get(v.SYSTEMD_USER)),
        supervisor=_supervisor(env),
        command=_command(env),
        gateway=_gateway(env),
    )
    for driver in drivers:
        for variable in _NEEDED.get(driver, ()):
            if not env.is_set(variable):
                message = f"{variable.name} is not configured"
                env.complain(variable.name, message, f"The driver {driver} needs it.")
    return config


def read_hooks(env: Environment) -> HookConfig:
    return HookConfig(
        pre=env.get(v.HOOK_PRE),
        stopped=env.get(v.HOOK_STOPPED),
        post=env.get(v.HOOK_POST),
        on_error=env.get(v.HOOK_ON_ERROR),
        timeout=env.get(v.HOOK_TIMEOUT),
    )


def _policy(env: Environment) -> StopPolicy:
    if env.is_set(v.HEALTH_URL) and env.is_set(v.HEALTH_COMMAND):
        message = f"{v.HEALTH_URL.name} and {v.HEALTH_COMMAND.name} are both set"
        env.complain(v.HEALTH_URL.name, message, "Keep one of the two.")
    return StopPolicy(
        on_failure=cast(Literal["abort", "continue"], env.get(v.STOP_POLICY)),
        stop_timeout=env.get(v.STOP_TIMEOUT),
        start_timeout=env.get(v.START_TIMEOUT),
        ready_timeout=env.get(v.READY_TIMEOUT),
        health_url=env.get(v.HEALTH_URL),
        health_command=env.get(v.HEALTH_COMMAND),
    )


def _docker(env: Environment, *, chosen: bool) -> DockerConfig:
    """DOCKER_HOST belongs to Docker: it is looked at only when Docker is to be asked."""
    return DockerConfig(
        host=env.get(v.DOCKER_HOST) if chosen else DockerConfig.host,
        label=env.get(v.DOCKER_LABEL),
        project=env.get(v.DOCKER_PROJECT),
        action=cast(Literal["stop", "pause"], env.get(v.DOCKER_ACTION)),
    )


def _supervisor(env: Environment) -> SupervisorConfig:
    return SupervisorConfig(
        address=env.get(v.SUPERVISOR_URL),
        programs=env.get(v.SUPERVISOR_PROGRAMS),
        username=env.get(v.SUPERVISOR_USERNAME),
        password=env.get(v.SUPERVISOR_PASSWORD),
    )


def _command(env: Environment) -> CommandConfig:
    config = CommandConfig(
        stop=env.get(v.STOP_COMMAND),
        start=env.get(v.START_COMMAND),
        status=env.get(v.STATUS_COMMAND),
        ids=env.get(v.COMMAND_IDS),
    )
    texts = (" ".join(config.stop), " ".join(config.start), " ".join(config.status))
    _match_ids(env, v.COMMAND_IDS, config.ids, texts)
    return config


def _gateway(env: Environment) -> GatewayConfig:
    config = GatewayConfig(
        stop_url=env.get(v.HTTP_STOP_URL),
        start_url=env.get(v.HTTP_START_URL),
        status_url=env.get(v.HTTP_STATUS_URL),
        method=env.get(v.HTTP_METHOD),
        timeout=env.get(v.HTTP_TIMEOUT),
        token=env.get(v.HTTP_TOKEN),
        ids=env.get(v.HTTP_IDS),
        running_text=env.get(v.HTTP_RUNNING_TEXT),
    )
    _match_ids(env, v.HTTP_IDS, config.ids, (config.stop_url, config.start_url, config.status_url))
    return config


def _match_ids(
    env: Environment, variable: Variable[Argv], ids: Argv, texts: tuple[str, ...]
) -> None:
    """With ids, all three must say which instance they mean; without, none can."""
    if any(text and ("{id}" in text) != bool(ids) for text in texts):
        message = f"{variable.name} and {{id}} do not go together"
        hint = "With ids, write {id} in stop, start and status alike; without, in none of them."
        env.complain(variable.name, message, hint)
