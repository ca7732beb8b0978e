"""What a person should look at now, computed from the database, whoever asks and whatever runs."""

from __future__ import annotations

from datetime import datetime

from backups_app.alerts import contents, late, service, unusual
from backups_app.alerts.alert import Alert, PartState
from backups_app.alerts.service import parts
from worker.engine.settings import Settings

__all__ = ["Alert", "PartState", "alerts", "of_plan", "parts"]


def alerts(settings: Settings, now: datetime) -> tuple[Alert, ...]:
    """All there are: about the service, about what is late, about what lies in the bucket."""
    return (*service.found(settings, now), *of_plan(settings, now))


def of_plan(settings: Settings, now: datetime) -> tuple[Alert, ...]:
    """Without those that are the same whichever plan one looks at."""
    return (
        *service.stopped(settings.plan.plan),
        *late.found(settings, now),
        *contents.found(settings.plan.plan),
        *unusual.found(settings.plan.plan),
    )
