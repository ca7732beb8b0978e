"""Hints for jobs that still wait, sent again: theirs may have been lost with Redis."""

from __future__ import annotations

from django.db.models.functions import Now

from backups_app.models import Job
from worker import tasks


def resend() -> None:
    """Hint at each due job that had no hint for a minute. Doubled hints do no harm."""
    for job in Job.objects.unhinted():
        if tasks.send_hint(str(job.pk)):
            Job.objects.filter(pk=job.pk).update(dispatched_at=Now())
