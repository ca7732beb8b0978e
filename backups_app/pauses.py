"""The schedule's pause: what comes due meanwhile is neither made nor missed."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Now

from backups_app.models import SchedulePause


def of(plan: str) -> SchedulePause | None:
    """The pause that lasts now, if one does."""
    lasting = Q(until=None) | Q(until__gt=Now())
    return SchedulePause.objects.filter(lasting, plan=plan).first()


def begin(plan: str, *, by: str, until: datetime | None = None) -> SchedulePause:
    """Pause it, for good or until then; a second pause replaces the first."""
    fields = {"by": by[:150], "until": until, "since": Now()}
    SchedulePause.objects.update_or_create(plan=plan, defaults=fields)
    return SchedulePause.objects.get(plan=plan)


def end(plan: str) -> bool:
    """Resume it. False when it was not paused."""
    paused = of(plan) is not None
    SchedulePause.objects.filter(plan=plan).delete()
    return paused
