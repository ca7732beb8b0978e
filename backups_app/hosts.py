"""The machines: who goes by which name, which of them live, and who has to stand aside."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Value
from django.db.models.functions import Now

from backups_app import troubles
from backups_app.models import Host, Part, PartSeen, Plan
from backups_app.models.host import AT_WORK
from worker.engine.config import HOME
from worker.engine.machine import machine_name
from worker.engine.settings import Settings

TWICE_HINT: Final = "Give it a BACKUP_HOST of its own (docs/several-machines.md), or stop it there."
log = logging.getLogger(__name__)


def mark(settings: Settings, name: str, parts: Iterable[Part]) -> None:
    """This process lives, as those parts."""
    for part in parts:
        machine = machine_name(settings.plan.temp_dir) if part in AT_WORK else ""
        wrong = troubles.own(settings, part)
        PartSeen.objects.mark(name, part, host=settings.host, machine=machine, troubles=wrong)


def leave(settings: Settings, name: str) -> None:
    """This process ends as it should."""
    machine = machine_name(settings.plan.temp_dir)
    PartSeen.objects.leave(name, host=settings.host, machine=machine)


def holds(settings: Settings) -> bool:
    """Whether this machine is the one of its name. The other one's jobs are not for us:
    here is another data folder."""
    if Host.objects.hold(settings.host, machine_name(settings.plan.temp_dir)):
        return True
    log.error(
        "OTHER_HOST: another machine goes by the name %s, so this one does nothing. %s",
        settings.host,
        TWICE_HINT,
    )
    return False


def is_home(settings: Settings) -> bool:
    """Whether this is the machine with the default plan, which tells people what happens."""
    return settings.host == HOME


def living(part: Part = Part.WORKER) -> set[str]:
    """Machines of which that part lives."""
    return set(PartSeen.objects.alive().filter(part=part).values_list("host", flat=True))


def last_seen(host: str, part: Part) -> datetime | None:
    """When that part of the machine was last seen; None when not for a day."""
    rows = PartSeen.objects.filter(host=host, part=part)
    return rows.order_by("-seen_at").values_list("seen_at", flat=True).first()


def others() -> list[str]:
    """Machines beside the main one that have plans."""
    rows = Plan.objects.exclude(host=HOME).order_by("host")
    return list(rows.values_list("host", flat=True).distinct())


def wanted_parts() -> list[tuple[str, Part]]:
    """What a whole service has: all parts on the main machine, two of them on each other one."""
    here = [(HOME, part) for part in Part]
    return here + [(host, part) for host in others() for part in AT_WORK]


def doubled(since: timedelta) -> Iterator[tuple[str, str]]:
    """Name and process of each machine that goes by a name which another one has.

    One that has just come up may still be mistaken: the other was not seen to end yet.
    """
    here = PartSeen.objects.alive().filter(part__in=AT_WORK, since__lt=Now() - Value(since))
    for host in Host.objects.exclude(machine=""):
        for row in here.filter(host=host.name).exclude(machine__in=("", host.machine)):
            yield host.name, row.name
