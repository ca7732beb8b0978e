"""What a driver is: the one thing that differs between Docker, systemd and the others.

A driver knows nothing of jobs, order, retries or health limits; `stopping` and `starting` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from worker.engine.errors import InstanceError


class InstanceGone(InstanceError):
    """The instance does not exist any more: nothing is there to be started."""

    default_code = "INSTANCES_GONE"


class Driver(Protocol):
    """Reaches the instances of one kind.

    Ids are strings that stay the same over restarts of the instance, of its manager and of
    Tarkeep. All four raise `InstanceError` when the answer is no or does not come in time;
    none of them ever waits without limit or goes through a shell.
    """

    @property
    def name(self) -> str:
        """As in BACKUP_INSTANCE_DRIVER; written down with the ids."""

    def running(self) -> list[str]:
        """Ids of the instances that run now and may be stopped, in the order to stop them."""

    def stop(self, instance: str, *, timeout: float) -> None:
        """Stop one and return when it has stopped. `timeout` in seconds."""

    def start(self, instance: str, *, timeout: float) -> None:
        """Start one, whichever way it was stopped; nothing to do when it runs already.

        Raises `InstanceGone` when it does not exist any more.
        """

    def is_healthy(self, instance: str) -> bool:
        """Whether it runs and, as far as the driver can tell, is well."""


@dataclass(frozen=True)
class Instance:
    """One instance and who reaches it."""

    driver: Driver
    id: str

    def __str__(self) -> str:
        return f"{self.driver.name} {self.id}"
