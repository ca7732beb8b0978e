"""Start instances again: all of them, whatever happens to one, with retries and a health wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from worker.engine.crashpoints import crashpoint
from worker.engine.errors import InstanceError
from worker.engine.instances.config import StopPolicy
from worker.engine.instances.driver import Instance, InstanceGone
from worker.engine.instances.process import NotRun, run
from worker.engine.instances.web import call_url

log = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 15.0
HEALTH_TIMEOUT: Final = 10.0
LOOK_EVERY: Final = 0.25

Failures = dict[Instance, InstanceError]
Patient = Callable[[], bool]  # whether it is worth waiting on


def try_start(instance: Instance, *, timeout: float) -> InstanceError | None:
    """Start one, once. Returns what went wrong: nothing may keep the others from their turn."""
    try:
        instance.driver.start(instance.id, timeout=timeout)
    except InstanceError as error:
        log.error("%s was not started: %s", instance, error.message)
        return error
    except Exception:
        log.exception("%s was not started", instance)
        return InstanceError(f"The driver {instance.driver.name} broke", code="INTERNAL_ERROR")
    log.info("%s was started", instance)
    crashpoint("instances.started")
    return None


def _always() -> bool:
    return True


def start_all(
    instances: Sequence[Instance],
    policy: StopPolicy,
    *,
    deadline: float,
    patient: Patient = _always,
) -> Failures:
    """Each once at least, in this order; those that failed again and again until `deadline`.

    `deadline` is of the monotonic clock. Returns what is not started, with the last reason.
    """
    failures: Failures = {}
    todo, pause = list(instances), policy.pause
    while todo:
        for instance in todo:
            _note(failures, instance, try_start(instance, timeout=policy.start_timeout))
        todo = [one for one in todo if not isinstance(failures.get(one), InstanceGone | None)]
        if not todo or time.monotonic() + pause > deadline or not _rest(pause, patient):
            break
        pause = min(pause * 2, LONGEST_PAUSE)
    return failures


def _rest(seconds: float, patient: Patient) -> bool:
    """Wait; False as soon as there is no patience any more."""
    until = time.monotonic() + seconds
    while going_on := patient():
        left = until - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(left, LOOK_EVERY))
    return going_on


def _note(failures: Failures, instance: Instance, error: InstanceError | None) -> None:
    failures.pop(instance, None)
    if error:
        failures[instance] = error


def keep_up(instances: Sequence[Instance], policy: StopPolicy, *, until: float) -> None:
    """Instances that would not stop in time may still go down late: see to them for a while."""
    while instances and time.monotonic() < until:
        time.sleep(min(policy.pause, LOOK_EVERY * 4))
        for instance in instances:
            try_start(instance, timeout=policy.start_timeout)


def wait_until_healthy(
    instances: Sequence[Instance],
    policy: StopPolicy,
    *,
    deadline: float,
    patient: Patient = _always,
) -> list[str]:
    """Names of what is not well at the `deadline`; empty as soon as all is well."""
    while unwell := _unwell(instances, policy):
        if time.monotonic() > deadline or not patient():
            return unwell
        time.sleep(LOOK_EVERY)
    return []


def _unwell(instances: Sequence[Instance], policy: StopPolicy) -> list[str]:
    if not instances:
        return []
    if policy.health_url or policy.health_command:
        return ask_health(policy)
    return [str(instance) for instance in instances if not _is_healthy(instance)]


def ask_health(policy: StopPolicy) -> list[str]:
    """The address or command that says that all is not well; empty when it is, or none is set."""
    if policy.health_url:
        return [] if _answers(policy.health_url) else ["the health address"]
    if policy.health_command:
        return [] if _succeeds(policy.health_command) else ["the health command"]
    return []


def _answers(url: str) -> bool:
    try:
        return 200 <= call_url("GET", url, timeout=HEALTH_TIMEOUT).status < 300
    except InstanceError:
        return False


def _succeeds(argv: Sequence[str]) -> bool:
    try:
        return run(argv, timeout=HEALTH_TIMEOUT) == 0
    except NotRun:
        return False


def _is_healthy(instance: Instance) -> bool:
    try:
        return instance.driver.is_healthy(instance.id)
    except InstanceError as error:
        log.warning("The health of %s is not known: %s", instance, error.message)
    except Exception:
        log.exception("The health of %s is not known", instance)
    return False
