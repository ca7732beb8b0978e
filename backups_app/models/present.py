"""Small rows about the present that can be thrown away and come back by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import models
from django.db.models import Value
from django.db.models.functions import Now

WORKER_GONE_AFTER: Final = timedelta(seconds=45)


class WorkerSeenQuerySet(models.QuerySet["WorkerSeen"]):
    def alive(self) -> WorkerSeenQuerySet:
        return self.filter(seen_at__gt=Now() - Value(WORKER_GONE_AFTER))

    def mark(self, name: str, *, runs_jobs: bool) -> None:
        """The worker of that name lives; forget those not seen for a day."""
        fields: dict[str, Any] = {"seen_at": Now(), "runs_jobs": runs_jobs}
        self.update_or_create(name=name, defaults=fields)
        self.filter(seen_at__lt=Now() - Value(timedelta(days=1))).delete()


class WorkerSeen(models.Model):
    """A Celery worker, renewed by its main process. `runs_jobs`: it listens for jobs."""

    name = models.CharField(max_length=200, primary_key=True)
    runs_jobs = models.BooleanField(default=False)
    seen_at = models.DateTimeField()

    objects = WorkerSeenQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class ScheduleClock(models.Model):
    """Up to when the slots of a plan's cron line were dealt with.

    Kept with the line and the zone it was computed by: when they change, or the schedule is
    turned on, counting begins anew, and nothing from before is caught up.
    """

    plan = models.CharField(max_length=100, primary_key=True)
    line = models.CharField(max_length=200)
    zone = models.CharField(max_length=100)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.plan} {self.line}"


class BucketSummary(models.Model):
    """How many backups the bucket held, and how large, when we last looked."""

    plan = models.CharField(max_length=100, primary_key=True)
    backups = models.PositiveIntegerField()
    total_bytes = models.BigIntegerField()
    latest_bytes = models.BigIntegerField()
    looked_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.plan}: {self.backups} backups"
