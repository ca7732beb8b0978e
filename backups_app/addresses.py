"""The addresses that notices go to: what to call them, since they may hold secrets, and which of
them take nothing."""

from __future__ import annotations

import hashlib
from typing import Final

from backups_app.models import Notice, NoticeState
from worker.engine.notify.variables import NotifyConfig

HEARTBEAT: Final = "heartbeat"
NO_ADDRESS: Final = "its address is no longer set"
FEW: Final = 3  # attempts, in some two minutes


def target(url: str) -> str:
    """A short hash, which is all that the database keeps of an address."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def failing(config: NotifyConfig) -> list[tuple[str, str]]:
    """Name and reason of each address, the heartbeat among them, that takes nothing at present."""
    named = [*zip(config.names, config.urls, strict=True), (HEARTBEAT, config.heartbeat_url)]
    found = [(name, _failure(target(url))) for name, url in named if url]
    return [(name, reason) for name, reason in found if reason]


def _failure(target: str) -> str:
    told = Notice.objects.filter(target=target)
    trying = told.filter(state=NoticeState.WAITING, attempts__gte=FEW).last()
    if trying:
        return trying.reason
    lost = told.filter(state=NoticeState.GIVEN_UP).exclude(reason=NO_ADDRESS).last()
    if lost and not told.filter(sent_at__gt=lost.created_at).exists():
        return lost.reason
    return ""
