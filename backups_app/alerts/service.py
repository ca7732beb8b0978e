"""Alerts about the service itself: parts that are gone, or say that something is wrong with them,
and notifications that do not arrive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Value
from django.db.models.functions import Now

from backups_app import addresses, hosts
from backups_app.alerts.alert import Alert, PartState
from backups_app.down import instances_down
from backups_app.models import Part, PartSeen, UnnamedProxy
from worker.engine.config import HOME
from worker.engine.settings import Settings

# Longer than a restart of a part takes, with a worker that drains a running backup.
MISSED_AFTER: Final = timedelta(seconds=120)
PROXY_SEEN, PROXY_STAYS = timedelta(hours=1), timedelta(minutes=5)


def found(settings: Settings, now: datetime) -> Iterator[Alert]:
    yield from _missing()
    yield from _doubled()
    yield from _reported()
    yield from _unheard(settings)
    yield from _unnamed_proxies(now)


def parts() -> list[PartState]:
    """Each part that a whole service has on the main machine."""
    rows = PartSeen.objects.filter(host=HOME)
    alive = list(rows.alive().values_list("part", flat=True))
    seen = dict(rows.order_by("seen_at").values_list("part", "seen_at"))
    return [PartState(part, alive.count(part), seen.get(part)) for part in Part]


def _missing() -> Iterator[Alert]:
    """Not while the service is coming up: somebody must have lived long enough to miss another.

    By the database's clock alone, which has also written when each was seen.
    """
    a_while_ago = Now() - Value(MISSED_AFTER)
    if not PartSeen.objects.alive().filter(since__lt=a_while_ago).exists():
        return
    rows = PartSeen.objects.filter(seen_at__gt=a_while_ago)
    lately = set(rows.values_list("host", "part"))
    for host, part in hosts.wanted_parts():
        if (host, part.value) not in lately:
            yield _absent(host, part)


def _absent(host: str, part: Part) -> Alert:
    seen = hosts.last_seen(host, part)
    last = f"since {seen:%Y-%m-%d %H:%M} UTC" if seen else "for a day or ever"
    if host == HOME:
        name, hint = part.value, _WITHOUT[part]
    else:
        name, hint = f"{part.value}@{host}", _WITHOUT_THERE[part]
    return Alert(
        "PART_MISSING", f"The part {name} was not seen {last}", hint, subject=name, at=seen
    )


_WITHOUT: Final = {
    Part.WEB: "Start it: without it there is no dashboard and no API. Backups go on.",
    Part.WORKER: "Start it: without it every job waits.",
    Part.CONTROL: "Start it, or again if it hangs: without it nothing is scheduled and lost jobs"
    " are not cleaned up. It is seen only while beat and Redis are there too.",
    Part.BEAT: "Start it: without it nothing is scheduled and lost jobs are not cleaned up.",
}
_WITHOUT_THERE: Final = {
    Part.WORKER: "Start it there, or see whether that machine reaches database and Redis:"
    " without it the jobs of its plans wait.",
    Part.CONTROL: "Start it there, or see whether that machine reaches database and Redis:"
    " without it lost jobs of its plans are not cleaned up.",
}


def _doubled() -> Iterator[Alert]:
    for host, process in hosts.doubled(MISSED_AFTER):
        message = f"Two machines go by the name {host}: {process} does nothing"
        yield Alert("OTHER_HOST", message, hosts.TWICE_HINT, subject=process)


def stopped(plan: str) -> Iterator[Alert]:
    """Instances that a run of the plan has stopped."""
    for one in instances_down(plan):
        why = f": {one.message}" if one.message else ""
        yield Alert(
            "INSTANCE_DOWN",
            f"{one.name} was stopped by Tarkeep and does not run again{why}",
            "It is tried again and again. Start it, or look why it does not start.",
            subject=one.name,
            at=one.since,
        )


def _reported() -> Iterator[Alert]:
    """What living parts say of themselves, each thing once: settings differ from part to part."""
    told: dict[tuple[str, str], Alert] = {}
    for row in PartSeen.objects.alive().exclude(troubles=[]).order_by("part", "name"):
        for one in row.troubles:
            alert = Alert(one["code"], one["message"], one["hint"], subject=one["subject"])
            told.setdefault((alert.code, alert.about), alert)
    yield from told.values()


def _unheard(settings: Settings) -> Iterator[Alert]:
    """Told to the addresses that do work, and shown."""
    for name, reason in addresses.failing(settings.notify):
        yield Alert(
            "NOTIFY_BROKEN",
            f"Notices do not arrive at {name}: {reason}",
            "Mend the address, or what it leads to. `tarkeep notify-test` sends a message at once.",
            subject=name,
        )


def _unnamed_proxies(now: datetime) -> Iterator[Alert]:
    """Not for somebody who tries a header out: a proxy speaks for others again and again."""
    for proxy in UnnamedProxy.objects.filter(seen_at__gt=now - PROXY_SEEN):
        if proxy.seen_at - proxy.since >= PROXY_STAYS:
            yield Alert(
                "PROXY_UNNAMED",
                f"Requests for others come through {proxy.address}, which is no trusted proxy",
                "If it is your reverse proxy, add it to TARKEEP_TRUSTED_PROXIES. Until then all "
                "who come through it are one to the audit log and to the limits on signing in.",
                subject=proxy.address,
            )
