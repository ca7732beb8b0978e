"""The shapes of alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backups_app.models import Part


@dataclass(frozen=True)
class Alert:
    """Something that a person should look at. `code` is stable, `backup_key` may be empty.

    `at`: the time that the message tells in UTC, for those who show it in another zone.
    """

    code: str
    message: str
    hint: str
    backup_key: str = ""
    subject: str = ""
    at: datetime | None = None

    @property
    def about(self) -> str:
        """Tells alerts of one code apart: a part, a backup's key, or nothing."""
        return self.subject or self.backup_key


@dataclass(frozen=True)
class PartState:
    """A part of the service. `seen`: when last, None when never (or not for a day)."""

    part: Part
    alive: int
    seen: datetime | None
