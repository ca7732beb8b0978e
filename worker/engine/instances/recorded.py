"""Start what a dead run had stopped, from nothing but what it had written down."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from worker.engine.errors import InstanceError
from worker.engine.instances.driver import Driver, Instance, InstanceGone
from worker.engine.instances.starting import try_start
from worker.engine.instances.stopping import STARTED_EFFECT, STOPPED_EFFECT

log = logging.getLogger(__name__)


def still_stopped(effects: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Driver and id of what was to be stopped and is not known to have been started since.

    `effects` as `Progress.record` got them, oldest first: `{effect, driver, ids}`; others are
    passed over.
    """
    open_: dict[tuple[str, str], None] = {}
    for effect in effects:
        if effect["effect"] == STOPPED_EFFECT:
            open_.update({(effect["driver"], one): None for one in effect["ids"]})
        elif effect["effect"] == STARTED_EFFECT:
            for one in effect["ids"]:
                open_.pop((effect["driver"], one), None)
    return list(open_)


def restart_recorded(
    effects: Iterable[Mapping[str, Any]], drivers: Sequence[Driver], *, timeout: float = 30
) -> list[str]:
    """Start it, in reverse order, each tried once; returns the names of what runs now.

    Safe to be called again: what runs is left alone. Raises `InstanceError`
    (INSTANCES_NOT_STARTED) after the last one when any could not be started; call it again
    later then. What is gone for good, or belongs to a driver that is no longer configured, is
    told in the log and not tried again.
    """
    by_name = {driver.name: driver for driver in drivers}
    started: list[str] = []
    failed: list[str] = []
    for name, one in reversed(still_stopped(effects)):
        if driver := by_name.get(name):
            _restart(Instance(driver, one), timeout, started, failed)
        else:
            log.critical("%s %s may be stopped: that driver is no longer configured", name, one)
    if failed:
        raise InstanceError(
            f"Still stopped since a run that died: {'; '.join(failed)}",
            hint="It is tried again; start it by hand if that does not help.",
            code="INSTANCES_NOT_STARTED",
        )
    return started


def _restart(instance: Instance, timeout: float, started: list[str], failed: list[str]) -> None:
    error = try_start(instance, timeout=timeout)
    if error is None:
        started.append(str(instance))
    elif isinstance(error, InstanceGone):
        log.critical("%s cannot be started again: %s", instance, error.message)
    else:
        failed.append(f"{instance} ({error.message})")
