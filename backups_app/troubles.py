"""What a part of the service finds wrong with itself: its settings, its version.

It stands in the part's own mark, for the parts need not agree: one may run with other settings,
or be left over from before an upgrade.
"""

from __future__ import annotations

from typing import TypedDict

from backups_app import schema
from backups_app.models import Part
from worker.engine.settings import Settings


class Trouble(TypedDict):
    """As an alert has it."""

    code: str
    message: str
    hint: str
    subject: str


def own(settings: Settings, part: Part) -> list[Trouble]:
    """All there is."""
    found = [_wrong(one.message, one.hint, one.variable) for one in settings.problems]
    if said := schema.mismatch():
        hint = "Bring program and database to the same version, then restart this part."
        where = f"{part.value}: {said}"
        found.append(Trouble(code="SCHEMA_MISMATCH", message=where, hint=hint, subject=part.value))
    return found


def _wrong(message: str, hint: str, variable: str) -> Trouble:
    said = f"{message}. No backup is made"
    return Trouble(code="SETTINGS_WRONG", message=said, hint=hint, subject=variable)
