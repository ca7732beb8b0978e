"""The settings of notifications and heartbeats, and their readers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from worker.engine import values
from worker.engine.environment import Environment, Variable
from worker.engine.values import BadValue

EVENTS: Final = (
    "success", "warning", "failure", "missed", "overdue", "recovered", "drill", "summary",
)  # fmt: skip
# What Apprise sends without TLS.
_PLAIN: Final = {"http", "json", "xml", "form"}
_BETWEEN: Final = re.compile(r"\s+|,\s*(?=[a-z][a-z0-9+.-]*://)", re.IGNORECASE)


def addresses(value: str) -> tuple[str, ...]:
    """Addresses of Apprise, with commas or spaces between. A comma within one is left alone."""
    found = tuple(part for part in _BETWEEN.split(value.strip(", ")) if part)
    if any("://" not in one for one in found):
        hint = "As in mailto://user:password@example.com or ntfys://ntfy.sh/topic."
        raise BadValue("must be addresses of Apprise with commas between", hint, private=True)
    return found


def address(value: str) -> str:
    """One https:// (or http://) address."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or " " in value:
        hint = "As in https://hc-ping.com/UUID or https://kuma.example.com/api/push/TOKEN."
        raise BadValue("must be an address that begins with https://", hint, private=True)
    return value


def events(value: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in value.split(",") if part.strip())
    wrong = [name for name in found if name not in EVENTS]
    if wrong:
        raise BadValue("must be names of events with commas between", f"Of: {', '.join(EVENTS)}.")
    return found


NOTIFY_URLS: Final = Variable(
    "BACKUP_NOTIFY_URLS", addresses, "", "where notifications go, as Apprise writes it", secret=True
)
NOTIFY_EVENTS: Final = Variable(
    "BACKUP_NOTIFY_EVENTS",
    events,
    "warning,failure,missed,overdue,recovered,drill,summary",
    "what notifications are sent about",
)
HEARTBEAT_URL: Final = Variable(
    "BACKUP_HEARTBEAT_URL",
    values.optional(address),
    "",
    "called when a backup begins, succeeds and fails",
    secret=True,
)
ALLOW_PRIVATE: Final = Variable(
    "BACKUP_NOTIFY_ALLOW_PRIVATE",
    values.flag,
    "false",
    "lets notifications and heartbeats go to private addresses, and without TLS",
)
OVERDUE_MINUTES: Final = Variable(
    "BACKUP_OVERDUE_MINUTES",
    values.whole_number(5, 100_000),
    "120",
    "minutes after its time from which a scheduled backup is overdue",
)
NOTIFY_VARIABLES: Final[tuple[Variable[Any], ...]] = (
    NOTIFY_URLS, NOTIFY_EVENTS, HEARTBEAT_URL, ALLOW_PRIVATE, OVERDUE_MINUTES,
)  # fmt: skip


@dataclass(frozen=True)
class NotifyConfig:
    """`urls` and `heartbeat_url` may hold passwords and tokens."""

    urls: tuple[str, ...] = field(default=(), repr=False)
    events: tuple[str, ...] = EVENTS
    heartbeat_url: str = field(default="", repr=False)
    allow_private: bool = False
    overdue_minutes: int = 120

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each of `urls`: by its number and kind, as in `address 1 (mailto)`."""
        kinds = [url.partition("://")[0] for url in self.urls]
        return tuple(f"address {number} ({kind})" for number, kind in enumerate(kinds, start=1))


def read_notify(env: Environment) -> NotifyConfig:
    config = NotifyConfig(
        urls=env.get(NOTIFY_URLS),
        events=env.get(NOTIFY_EVENTS),
        heartbeat_url=env.get(HEARTBEAT_URL),
        allow_private=env.get(ALLOW_PRIVATE),
        overdue_minutes=env.get(OVERDUE_MINUTES),
    )
    _refuse_plain(env, NOTIFY_URLS.name, config.urls, config)
    _refuse_plain(env, HEARTBEAT_URL.name, (config.heartbeat_url,), config)
    return config


def _refuse_plain(env: Environment, name: str, urls: tuple[str, ...], config: NotifyConfig) -> None:
    plain = [url for url in urls if url.partition("://")[0].lower() in _PLAIN]
    if plain and not config.allow_private:
        hint = "Use https:// (jsons://, ...), or set BACKUP_NOTIFY_ALLOW_PRIVATE=true at home."
        env.complain(name, f"{name} has an address without TLS", hint)
