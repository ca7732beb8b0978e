"""Hints for jobs that still wait, sent again: theirs may have been lost with Redis."""

from __future__ import annotations

from django.conf import settings
from django.db.models.functions import Now

from backups_app import hosts
from backups_app.models import Job
from worker import tasks


def resend() -> None:
    """Hint at each due job that had no hint for twenty seconds. Doubled hints do no harm.

    Hints for a machine that is away would only pile up: its worker asks for them when it comes.
    """
    reached = {settings.TARKEEP.host, *hosts.living()}
    for job in Job.objects.unhinted().filter(host__in=reached):
        if tasks.send_hint(str(job.pk), job.host):
            Job.objects.filter(pk=job.pk).update(dispatched_at=Now())
