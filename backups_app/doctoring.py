"""A doctor's visit that somebody asks for over the API: a worker makes it, where the data lies.

It runs in a process of its own, which can be ended when a server keeps it waiting, and needs
neither Redis nor a free worker: each worker looks into the database for one every 15 seconds.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import timedelta
from threading import Thread
from typing import Final

from django.conf import settings
from django.db.models import Q, Value
from django.db.models.functions import Now

from backups_app.models import DoctorReport
from worker.engine.doctor import Report

log = logging.getLogger(__name__)

LIMIT: Final = timedelta(minutes=5)
FRESH: Final = timedelta(minutes=1)


def ask(plan: str, *, by: str) -> DoctorReport:
    """Ask for a visit, unless one is under way or was made in the last minute."""
    under_way = Q(done_at=None, asked_at__gt=Now() - Value(LIMIT))
    just_now = Q(done_at__gt=Now() - Value(FRESH))
    if not DoctorReport.objects.filter(under_way | just_now, plan=plan).exists():
        fields = {"asked_at": Now(), "asked_by": by[:150], "taken_at": None, "done_at": None}
        DoctorReport.objects.update_or_create(plan=plan, defaults=fields)
    return DoctorReport.objects.get(plan=plan)


def take_up(plan: str) -> Thread | None:
    """Begin the visit that is asked for, if one is and nobody has begun it."""
    asked = DoctorReport.objects.filter(plan=plan, done_at=None, taken_at=None)
    if not asked.filter(asked_at__gt=Now() - Value(LIMIT)).update(taken_at=Now()):
        return None
    visit = Thread(target=_visit, args=(plan,), name="doctor", daemon=True)
    visit.start()
    return visit


def store(plan: str, report: Report) -> None:
    DoctorReport.objects.filter(plan=plan).update(report=report.as_dict(), done_at=Now())


def _visit(plan: str) -> None:
    """`manage.py doctor` writes its report down itself; this thread touches no database."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "doctor", "--store"]
    try:
        subprocess.run(
            [*command, "--plan", plan],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=LIMIT.total_seconds(),
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        log.error("The doctor did not come to an end: %s", type(error).__name__)
