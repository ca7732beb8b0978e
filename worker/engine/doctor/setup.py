"""What is set: problems, encryption, the schedule, the addresses of notices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from worker.engine import schedule
from worker.engine.doctor.finding import Finding
from worker.engine.errors import ConfigError
from worker.engine.notify.variables import NotifyConfig
from worker.engine.settings import Settings


def findings(settings: Settings, now: datetime) -> Iterator[Finding]:
    for one in settings.problems:
        yield Finding("bad", one.variable, one.message, one.hint, ConfigError.exit_code)
    if not settings.problems:
        yield Finding("ok", "settings", "nothing is wrong with them")
    if not settings.plan.encryption_key:
        hint = "Set BACKUP_ENCRYPTION_KEY, and keep a copy of it elsewhere."
        yield Finding("note", "encryption", "backups are not encrypted", hint)
    yield _zone(settings, now)
    yield _schedule(settings, now)
    yield from _notify(settings.notify)


def _zone(settings: Settings, now: datetime) -> Finding:
    """Told whether or not the schedule is on: a wrong zone is seen by the time in it."""
    local = now.astimezone(schedule.zone(settings.timezone))
    text = f"{settings.timezone}, where it is {local:%H:%M} now, {now.astimezone(UTC):%H:%M} UTC"
    return Finding("ok", "time zone", text)


def _schedule(settings: Settings, now: datetime) -> Finding:
    if not settings.enabled:
        hint = "Set BACKUP_ENABLED=true; until then backups are made by hand only."
        return Finding("note", "schedule", "it is off", hint)
    due = schedule.next_run(settings.schedule, settings.timezone, now)
    local = due.astimezone(schedule.zone(settings.timezone))
    text = f"{settings.schedule} in {settings.timezone}: next at {local:%Y-%m-%d %H:%M} there"
    return Finding("ok", "schedule", f"{text}, {due:%Y-%m-%d %H:%M} UTC")


def _notify(config: NotifyConfig) -> Iterator[Finding]:
    """Whether Apprise knows the addresses; whether they take anything, `notify-test` tells."""
    if not config.urls:
        hint = "Set BACKUP_NOTIFY_URLS: without, nobody is told when a backup fails."
        yield Finding("note", "notices", "they go nowhere", hint)
        return
    unknown = [name for name, url in zip(config.names, config.urls, strict=True) if not _known(url)]
    for name in unknown:
        hint = "See https://appriseit.com/services/ for how addresses are written."
        text = f"{name} of BACKUP_NOTIFY_URLS is of no kind that Apprise knows"
        yield Finding("bad", "notices", text, hint, ConfigError.exit_code)
    if not unknown:
        yield Finding("ok", "notices", f"go to {', '.join(config.names)}")
    if not config.heartbeat_url:
        hint = "Set BACKUP_HEARTBEAT_URL: only somebody outside notices that this machine is gone."
        yield Finding("note", "heartbeat", "none is set", hint)


def _known(url: str) -> bool:
    from apprise import Apprise

    return bool(Apprise.instantiate(url))
