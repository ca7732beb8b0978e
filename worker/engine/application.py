"""The application while its data folder is replaced: stopped where we may, and looked at after.

Where nothing is stopped its health is asked all the same, if a way to ask is set. An application
that was not well before is no witness: it may be off, or the reason for the restore.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from worker.engine.config import PlanConfig
from worker.engine.instances.config import InstanceConfig, StopPolicy
from worker.engine.instances.drivers import open_drivers
from worker.engine.instances.starting import ask_health
from worker.engine.instances.stopping import Stopped, stop_again, stop_instances
from worker.engine.progress import Progress, SourceWarning

_LOOK_EVERY = 0.25


class Application:
    """`instances` are those that were stopped, None where none were to be."""

    def __init__(
        self, instances: Stopped | None, policy: StopPolicy, progress: Progress, *, witness: bool
    ) -> None:
        self.instances, self.unwell = instances, list[str]()
        self._policy, self._progress, self._witness = policy, progress, witness

    @property
    def downtime(self) -> float:
        """Seconds that instances were stopped, 0 when none was."""
        return self.instances.downtime if self.instances else 0.0

    def start(self) -> None:
        """Start what was stopped; `unwell` is then what does not start or is not well in time."""
        if self.instances and self.instances.noted:
            self._progress.phase("starting")
            self.instances.start()
            self.unwell = self.instances.unwell
        elif self._witness:
            self._progress.phase("looking")
            self.unwell = self._asked()

    @contextmanager
    def stopped_again(self) -> Iterator[Application]:
        """For the way back: what cannot be stopped is a warning now."""
        again = stop_again(self.instances) if self.instances else nullcontext()
        with again as instances:
            yield Application(instances, self._policy, self._progress, witness=self._witness)

    def leave(self) -> None:
        """Start nothing: whoever cleans up after this run does."""
        if self.instances:
            self.instances.leave()

    def _asked(self) -> list[str]:
        deadline = time.monotonic() + self._policy.ready_timeout
        while unwell := ask_health(self._policy):
            if time.monotonic() > deadline:
                return unwell
            self._progress.pulse()
            time.sleep(_LOOK_EVERY)
        return []


@contextmanager
def stopped(plan: PlanConfig, progress: Progress) -> Iterator[Application]:
    """The application at rest, as far as we may stop it; running again at the end.

    Raises `InstanceError` (INSTANCES_NOT_STOPPED) for one that does not stop, whatever the policy
    for backups: on a folder that is replaced below it, it would write into the safety copy.
    """
    config = _strict(plan.instances)
    if not plan.restore.stop_instances:
        yield Application(None, config.policy, progress, witness=_is_witness(config, progress))
        return
    progress.phase("stopping")
    with stop_instances(open_drivers(config), progress, config.policy) as instances:
        witness = not instances.noted and _is_witness(config, progress)
        yield Application(instances, config.policy, progress, witness=witness)


def _strict(config: InstanceConfig) -> InstanceConfig:
    """As for backups, but nothing is merely frozen, and nothing may go on running."""
    return replace(
        config,
        policy=replace(config.policy, on_failure="abort"),
        docker=replace(config.docker, action="stop"),
    )


def _is_witness(config: InstanceConfig, progress: Progress) -> bool:
    """Whether there is a way to ask for its health, and it is well now."""
    policy = config.policy
    if not (policy.health_url or policy.health_command):
        return False
    unwell = ask_health(policy)
    if unwell:
        message = f"{unwell[0]} says that it is not well now, so it is not asked after the swap"
        progress.warn(SourceWarning("HEALTH_NOT_ASKED", "", message))
    return not unwell
