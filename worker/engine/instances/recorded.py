"""Start what a run has left stopped, from nothing but what it had written down."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from worker.engine.errors import InstanceError
from worker.engine.instances.driver import Driver, Instance, InstanceGone
from worker.engine.instances.starting import try_start
from worker.engine.instances.stopping import STARTED_EFFECT, STOPPED_EFFECT

log = logging.getLogger(__name__)

FAILED_EFFECT: Final = "instances_failed"

Effect = dict[str, Any]
Effects = Iterable[Mapping[str, Any]]
Name = tuple[str, str]  # of an instance: its driver's name, and its id there


@dataclass(frozen=True)
class Restart:
    """What came of one try. `error` is None when the instance runs now."""

    driver: str
    id: str
    error: InstanceError | None

    @property
    def over(self) -> bool:
        """Whether there is nothing left to be tried: it runs, or is gone for good."""
        return self.error is None or isinstance(self.error, InstanceGone)

    def noted(self, effects: Effects) -> list[Effect]:
        """`effects` with this one written down; an earlier failure of the instance falls out."""
        about = {"driver": self.driver, "ids": [self.id]}
        kept = [dict(one) for one in effects if not _failure_of(one, (self.driver, self.id))]
        if self.over:
            return [*kept, {"effect": STARTED_EFFECT, **about}]
        reason = self.error.message if self.error else ""
        return [*kept, {"effect": FAILED_EFFECT, **about, "message": reason}]


def still_stopped(effects: Effects) -> list[Name]:
    """Driver and id of what was to be stopped and is not known to have been started since.

    `effects` as `Progress.record` got them, oldest first: `{effect, driver, ids}`; others are
    passed over.
    """
    open_: dict[Name, None] = {}
    for effect in effects:
        if effect["effect"] == STOPPED_EFFECT:
            open_.update({(effect["driver"], one): None for one in effect["ids"]})
        elif effect["effect"] == STARTED_EFFECT:
            for one in effect["ids"]:
                open_.pop((effect["driver"], one), None)
    return list(open_)


def stopped_since(effects: Effects) -> str | None:
    """When what is still stopped was to be stopped, as far as that was written down (`at`)."""
    since: str | None = None
    down: set[Name] = set()
    for effect in effects:
        if effect["effect"] == STOPPED_EFFECT:
            since = since or effect.get("at")
            down |= {(effect["driver"], one) for one in effect["ids"]}
        elif effect["effect"] == STARTED_EFFECT:
            down -= {(effect["driver"], one) for one in effect["ids"]}
            since = since if down else None
    return since


def failures(effects: Effects) -> dict[Name, str]:
    """Why what could not be started could not, by instance; the failure of longest ago first."""
    return {
        (one["driver"], one["ids"][0]): one["message"]
        for one in effects
        if one["effect"] == FAILED_EFFECT
    }


def untried(effects: Effects) -> list[Name]:
    """What is still stopped and was not tried yet, in the order to start it."""
    effects = list(effects)
    failed = failures(effects)
    return [name for name in reversed(still_stopped(effects)) if name not in failed]


def restarts(effects: Effects, drivers: Sequence[Driver], *, timeout: float) -> Iterator[Restart]:
    """Start it, in reverse order, each tried once; gives what came of each as it comes.

    What failed before comes last, so that one that hangs holds up none but itself. Safe to be
    called again: what runs is left alone. What belongs to a driver that is no longer
    configured counts as gone. `timeout` in seconds, for each.
    """
    effects = list(effects)
    by_name = {driver.name: driver for driver in drivers}
    stopped = set(still_stopped(effects))
    again = [name for name in failures(effects) if name in stopped]
    for name, one in [*untried(effects), *again]:
        error = _restart(by_name.get(name), name, one, timeout)
        if isinstance(error, InstanceGone):
            log.critical("%s %s cannot be started again: %s", name, one, error.message)
        elif error:
            log.critical("%s %s IS STILL STOPPED: %s", name, one, error.message)
        yield Restart(name, one, error)


def _failure_of(effect: Mapping[str, Any], name: Name) -> bool:
    return effect["effect"] == FAILED_EFFECT and (effect["driver"], *effect["ids"]) == name


def _restart(driver: Driver | None, name: str, one: str, timeout: float) -> InstanceError | None:
    if driver is None:
        return InstanceGone(f"the driver {name} is no longer configured; it may be stopped")
    return try_start(Instance(driver, one), timeout=timeout)
