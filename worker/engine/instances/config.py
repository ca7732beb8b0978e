"""What the drivers, the order of stopping and the hooks are told: plain values, checked.

`worker.engine.instances.variables` builds them from the settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Argv = tuple[str, ...]


@dataclass(frozen=True)
class DockerConfig:
    """Containers with `label`, or all of the compose project when one is named."""

    host: str = "unix:///var/run/docker.sock"
    label: str = "tarkeep.stop=true"
    project: str = ""
    action: Literal["stop", "pause"] = "stop"


@dataclass(frozen=True)
class SystemdConfig:
    """Units by name or by pattern such as `gateway@*.service`; `user` for `systemctl --user`."""

    units: tuple[str, ...] = ()
    user: bool = False


@dataclass(frozen=True)
class SupervisorConfig:
    """Programs by name (`gateway`), group (`gateway:*`) or both (`gateway:one`)."""

    address: str = "unix:///var/run/supervisor.sock"
    programs: tuple[str, ...] = ()
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class CommandConfig:
    """Argument lists; `{id}` in an argument stands for the instance's id."""

    stop: Argv = ()
    start: Argv = ()
    status: Argv = ()
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class GatewayConfig:
    """Addresses of the application's own API; `{id}` stands for the instance's id.

    `running_text`: what the status's answer holds, white space apart, while the instance runs.
    """

    stop_url: str = ""
    start_url: str = ""
    status_url: str = ""
    method: str = "POST"
    timeout: float = 10
    token: str = field(default="", repr=False)
    ids: tuple[str, ...] = ()
    running_text: str = ""


@dataclass(frozen=True)
class StopPolicy:
    """How to stop and start. All times in seconds.

    `stop_timeout` and `start_timeout` are for one instance; `ready_timeout` is how long all of
    them together may take to be started and healthy. The health address or command, when set,
    is asked instead of the drivers.
    """

    on_failure: Literal["abort", "continue"] = "abort"
    stop_timeout: float = 30
    start_timeout: float = 30
    ready_timeout: float = 120
    health_url: str = ""
    health_command: Argv = ()
    pause: float = 1.0


@dataclass(frozen=True)
class InstanceConfig:
    """`drivers` in the order in which their instances are stopped."""

    drivers: tuple[str, ...] = ()
    policy: StopPolicy = StopPolicy()
    docker: DockerConfig = DockerConfig()
    systemd: SystemdConfig = SystemdConfig()
    supervisor: SupervisorConfig = SupervisorConfig()
    command: CommandConfig = CommandConfig()
    gateway: GatewayConfig = GatewayConfig()


@dataclass(frozen=True)
class HookConfig:
    """Commands before a run, while instances are stopped, after a run that succeeded, and after
    one that did not."""

    pre: Argv = ()
    post: Argv = ()
    on_error: Argv = ()
    timeout: float = 300
    stopped: Argv = ()
