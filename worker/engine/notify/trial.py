"""A message to every address at once, to see whether notifications arrive."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from worker.engine.errors import ConfigError
from worker.engine.notify.send import Message, send
from worker.engine.notify.variables import NotifyConfig


@dataclass(frozen=True)
class Delivery:
    """To the address of that name (`NotifyConfig.names`). `reason`: why not, or empty."""

    name: str
    reason: str

    @property
    def taken(self) -> bool:
        return not self.reason


def send_trial(config: NotifyConfig) -> list[Delivery]:
    """What came of each. `ConfigError` (NOTIFY_UNSET) when there is no address."""
    if not config.urls:
        hint = "Set BACKUP_NOTIFY_URLS; docs/watching.md tells how."
        raise ConfigError("BACKUP_NOTIFY_URLS is not set", hint=hint, code="NOTIFY_UNSET")
    messages = [_message(url, config) for url in config.urls]
    with ThreadPoolExecutor(len(messages)) as pool:
        reasons = list(pool.map(lambda message: send(message, dict(os.environ)), messages))
    return [Delivery(*one) for one in zip(config.names, reasons, strict=True)]


def _message(url: str, config: NotifyConfig) -> Message:
    return {
        "url": url,
        "title": "Tarkeep: a test",
        "body": "Somebody asked for this message, to see whether it arrives. All is well.",
        "type": "info",
        "ping": False,
        "private": config.allow_private,
    }
