"""From names to drivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from worker.engine.instances.command import CommandDriver
from worker.engine.instances.config import InstanceConfig
from worker.engine.instances.docker import DockerDriver
from worker.engine.instances.driver import Driver
from worker.engine.instances.gateway import GatewayDriver
from worker.engine.instances.supervisor import SupervisorDriver
from worker.engine.instances.systemd import SystemdDriver

_DRIVERS: Final[dict[str, Callable[[InstanceConfig], Driver]]] = {
    "docker": lambda config: DockerDriver(config.docker),
    "systemd": lambda config: SystemdDriver(config.systemd),
    "supervisor": lambda config: SupervisorDriver(config.supervisor),
    "command": lambda config: CommandDriver(config.command),
    "http": lambda config: GatewayDriver(config.gateway),
}


def open_drivers(config: InstanceConfig) -> tuple[Driver, ...]:
    """The chosen drivers, in the order in which their instances are stopped; none for `none`."""
    return tuple(_DRIVERS[name](config) for name in config.drivers)
