"""Stop what runs, and give it back running.

Written down first, stopped second; started in reverse order. Whatever goes wrong after the
first stop, everything is started again before the error is told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final

from worker.engine.crashpoints import crashpoint
from worker.engine.errors import InstanceError
from worker.engine.instances.config import StopPolicy
from worker.engine.instances.driver import Driver, Instance, InstanceGone
from worker.engine.instances.starting import keep_up, start_all, wait_until_healthy
from worker.engine.progress import Progress, SourceWarning

log = logging.getLogger(__name__)

STOPPED_EFFECT: Final = "instances"
STARTED_EFFECT: Final = "instances_started"


def stop_instances(drivers: Sequence[Driver], progress: Progress, policy: StopPolicy) -> Stopped:
    """Stop all instances that run, one after another; call `start()` of what is returned.

    Raises `InstanceError` (INSTANCES_NOT_STOPPED) when one cannot be stopped and the policy
    says abort, and whatever `progress` raises; then everything has been started again.
    """
    stopped = Stopped(progress, policy)
    if not drivers:
        stopped.warn("INSTANCES_NO_DRIVER", "No instance was stopped: no driver is set")
    try:
        stopped.write_down(_find(drivers, stopped))
        stopped.stop_all()
    except BaseException:
        stopped.start()
        raise
    return stopped


def _find(drivers: Sequence[Driver], stopped: Stopped) -> list[Instance]:
    found: list[Instance] = []
    for driver in drivers:
        try:
            found.extend(Instance(driver, one) for one in driver.running())
        except InstanceError as error:
            stopped.refuse_or_warn(f"What {driver.name} runs", "found out", error)
    return found


class Stopped:
    """What is stopped and how to start it. As a context manager it starts at the end.

    `downtime` is the time in seconds from the first stop until everything was started and well
    again, or given up; 0 when nothing was stopped.
    """

    def __init__(self, progress: Progress, policy: StopPolicy) -> None:
        self.progress, self.policy = progress, policy
        self.noted: list[Instance] = []
        self.touched: list[Instance] = []
        self.doubtful: list[Instance] = []
        self.downtime = 0.0
        self._began = self._doubted = time.monotonic()
        self._over = False

    def __enter__(self) -> Stopped:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.start()

    def write_down(self, instances: Sequence[Instance]) -> None:
        """Durably, before the first of them is touched."""
        for driver, ids in _by_driver(instances).items():
            self.progress.record(STOPPED_EFFECT, driver=driver, ids=ids)
        self.noted = list(instances)
        crashpoint("instances.noted")

    def stop_all(self) -> None:
        self._began = time.monotonic()
        for instance in self.noted:
            self.progress.checkpoint()
            self.touched.append(instance)
            self._stop(instance)
            self.progress.advance()  # a sign of life for the stall watchdog
            crashpoint("instances.stopped")

    def _stop(self, instance: Instance) -> None:
        try:
            instance.driver.stop(instance.id, timeout=self.policy.stop_timeout)
            log.info("%s was stopped", instance)
        except InstanceGone as gone:
            log.info("%s is not there any more: %s", instance, gone.message)
        except InstanceError as error:
            self.doubtful.append(instance)
            self._doubted = time.monotonic()
            self.refuse_or_warn(str(instance), "stopped", error)

    def refuse_or_warn(self, what: str, deed: str, error: InstanceError) -> None:
        """What the policy says: the run ends here, or goes on with a warning."""
        message = f"{what} could not be {deed}: {error.message}"
        if self.policy.on_failure == "abort":
            raise InstanceError(message, hint=error.hint, code="INSTANCES_NOT_STOPPED") from error
        self.warn("INSTANCES_NOT_STOPPED", message)

    def start(self) -> float:
        """Start exactly what was stopped, in reverse order, and return the downtime.

        Never raises for an instance: what does not start is a warning (INSTANCES_NOT_STARTED).
        Calling it again does nothing.
        """
        if not self._over:
            self._over = True
            self._start()
            self.downtime = round(time.monotonic() - self._began, 3) if self.touched else 0.0
        return self.downtime

    def _start(self) -> None:
        crashpoint("instances.starting")
        deadline = time.monotonic() + self.policy.ready_timeout
        failures = start_all(self.touched[::-1], self.policy, deadline=deadline)
        keep_up(self.doubtful, self.policy, until=self._doubted + self.policy.stop_timeout)
        for instance in self.doubtful:
            failures.pop(instance, None)
        failures |= start_all(self.doubtful, self.policy, deadline=deadline)
        for instance, error in failures.items():
            self._tell(instance, error)
        self._write_down_started(failures)
        up = [instance for instance in self.touched if instance not in failures]
        if unwell := wait_until_healthy(up, self.policy, deadline=deadline):
            message = f"Started, but not well in time: {', '.join(unwell)}"
            self.warn("INSTANCES_UNHEALTHY", message)

    def _tell(self, instance: Instance, error: InstanceError) -> None:
        if isinstance(error, InstanceGone):
            self.warn("INSTANCES_GONE", f"{instance} cannot be started again: {error.message}")
        else:
            message = f"{instance} IS STILL STOPPED, start it by hand: {error.message}"
            log.critical("%s", message)
            self.warn("INSTANCES_NOT_STARTED", message)

    def _write_down_started(self, failures: dict[Instance, InstanceError]) -> None:
        """What is not written down is merely started once more, by the reaper, to no effect."""
        gone = {one for one, error in failures.items() if isinstance(error, InstanceGone)}
        done = [one for one in self.noted if one not in failures or one in gone]
        try:
            for driver, ids in _by_driver(done).items():
                self.progress.record(STARTED_EFFECT, driver=driver, ids=ids)
        except Exception:
            log.exception("That the instances were started could not be written down")

    def warn(self, code: str, message: str) -> None:
        self.progress.warn(SourceWarning(code, "", message))


def _by_driver(instances: Iterable[Instance]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for instance in instances:
        ids.setdefault(instance.driver.name, []).append(instance.id)
    return ids
