"""Stop what runs, and give it back running.

Written down first, stopped second; started in reverse order. Whatever goes wrong after the
first stop, everything is started again before the error is told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Final

from worker.engine.crashpoints import crashpoint
from worker.engine.errors import InstanceError
from worker.engine.instances.config import StopPolicy
from worker.engine.instances.driver import Driver, Instance, InstanceGone
from worker.engine.instances.starting import keep_up, start_all, wait_until_healthy
from worker.engine.progress import Progress, SourceWarning
from worker.engine.pulsing import is_wanted, pulsing

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


def stop_again(before: Stopped) -> Stopped:
    """Stop what `before` had stopped and started, whatever state it is in.

    One that cannot be stopped is a warning: what is to be undone is undone all the same.
    """
    stopped = Stopped(before.progress, replace(before.policy, on_failure="continue"))
    try:
        stopped.write_down(before.noted)
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
    again, or given up; 0 when nothing was stopped. `unwell`: what `start` could not start, or
    what was not well in time.
    """

    def __init__(self, progress: Progress, policy: StopPolicy) -> None:
        self.progress, self.policy = progress, policy
        self.noted: list[Instance] = []
        self.touched: list[Instance] = []
        self.doubtful: list[Instance] = []
        self.downtime = 0.0
        self.unwell: list[str] = []
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
            crashpoint("instances.stopped")

    def _stop(self, instance: Instance) -> None:
        try:
            with pulsing(self.progress):
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
        A run that is to stop tries each once, and waits for nothing. Calling it again does nothing.
        """
        if not self._over:
            self._over = True
            with pulsing(self.progress):
                self._start()
            self.downtime = round(time.monotonic() - self._began, 3) if self.touched else 0.0
        return self.downtime

    def leave(self) -> None:
        """Start nothing: whoever cleans up after this run does, from what was written down."""
        self._over = True

    def _start(self) -> None:
        crashpoint("instances.starting")
        deadline = time.monotonic() + self.policy.ready_timeout
        patient = partial(is_wanted, self.progress)
        self._tell_early()
        failures = start_all(self.touched[::-1], self.policy, deadline=deadline, patient=patient)
        keep_up(self.doubtful, self.policy, until=self._doubted + self.policy.stop_timeout)
        for instance in self.doubtful:
            failures.pop(instance, None)
        failures |= start_all(self.doubtful, self.policy, deadline=deadline, patient=patient)
        for instance, error in failures.items():
            self._tell(instance, error)
        self._write_down_started(failures)
        up = [instance for instance in self.touched if instance not in failures]
        unwell = wait_until_healthy(up, self.policy, deadline=deadline, patient=patient)
        if not patient():
            unwell = []  # nobody waited for them to be well
        if unwell:
            message = f"Started, but not well in time: {', '.join(unwell)}"
            self.warn("INSTANCES_UNHEALTHY", message)
        down = [one for one, error in failures.items() if not isinstance(error, InstanceGone)]
        self.unwell = [*map(str, down), *unwell]

    def _tell_early(self) -> None:
        """Whoever started them meanwhile, they may have written to what was being read."""
        sure = [instance for instance in self.touched if instance not in self.doubtful]
        running = {driver: _running(driver) for driver in {one.driver for one in sure}}
        if early := [str(one) for one in sure if one.id in running[one.driver]]:
            message = "started by somebody else while they were to stay stopped"
            self.warn("INSTANCES_CAME_BACK", f"{', '.join(early)}: {message}")

    def _tell(self, instance: Instance, error: InstanceError) -> None:
        if isinstance(error, InstanceGone):
            self.warn("INSTANCES_GONE", f"{instance} cannot be started again: {error.message}")
        else:
            message = f"{instance} IS STILL STOPPED: {error.message}"
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


def _running(driver: Driver) -> list[str]:
    """Nothing where it cannot be found out: no reason to leave anything stopped."""
    try:
        return driver.running()
    except Exception as error:  # noqa: BLE001 - of whatever kind; see `try_start`
        log.warning("What %s runs is not known: %s", driver.name, error)
        return []


def _by_driver(instances: Iterable[Instance]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for instance in instances:
        ids.setdefault(instance.driver.name, []).append(instance.id)
    return ids
