"""Small rows about the present that can be thrown away and come back by themselves."""

from __future__ import annotations

from typing import Final

from django.db import models

from backups_app.models.job import Kind

MADE_KEPT: Final = 50


class ScheduleClock(models.Model):
    """Up to when the slots of a plan's cron line were dealt with; each kind of job has its own.

    Kept with the line and the zone it was computed by: when they change, or the schedule is
    turned on, counting begins anew, and nothing from before is caught up. `since`: when that was.
    """

    plan = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind)
    line = models.CharField(max_length=200)
    zone = models.CharField(max_length=100)
    until = models.DateTimeField()
    since = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["plan", "kind"], name="one_clock_per_kind"),)

    def __str__(self) -> str:
        return f"{self.plan} {self.kind} {self.line}"


class SchedulePause(models.Model):
    """The schedule of a plan stands still: for good, or `until` then. Deleting it resumes."""

    plan = models.CharField(max_length=100, primary_key=True)
    by = models.CharField(max_length=150, blank=True)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.plan} paused"


class DoctorReport(models.Model):
    """What the doctor found when somebody asked last. `report` is null until it is `done_at`.

    `taken_at`: when a worker took it up.
    """

    plan = models.CharField(max_length=100, primary_key=True)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=150, blank=True)
    taken_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    report = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"{self.plan} looked at {self.done_at}"


class BucketSummary(models.Model):
    """How many backups the bucket held, and how large, when we last looked.

    `retention_halted`: why retention deletes nothing, or empty; `halted_code` its code. `gone`:
    keys of damaged backups that were no longer there. `alarm`: what was wrong with the newest
    (`backups_app.head`), or {}. `made`: key and time of the newest backups of ours, at most
    `MADE_KEPT`.
    """

    plan = models.CharField(max_length=100, primary_key=True)
    backups = models.PositiveIntegerField()
    total_bytes = models.BigIntegerField()
    latest_bytes = models.BigIntegerField()
    retention_halted = models.TextField(blank=True, default="")
    halted_code = models.CharField(max_length=50, blank=True, default="", db_default="")
    gone = models.JSONField(default=list)
    alarm = models.JSONField(default=dict)
    made = models.JSONField(default=list)
    looked_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.plan}: {self.backups} backups"


class BucketTrouble(models.Model):
    """Why the bucket could not be read when last tried. The row goes when it can be again."""

    plan = models.CharField(max_length=100, primary_key=True)
    code = models.CharField(max_length=50)
    message = models.TextField()
    hint = models.TextField(blank=True)
    since = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.plan}: {self.code}"


class FolderTrouble(models.Model):
    """What a person must see to beside the data folder, when we last looked.

    A safety copy (`path`) whose time is over but that has to stay, or a swap that is not settled.
    """

    plan = models.CharField(max_length=100)
    path = models.CharField(max_length=4096, blank=True)
    code = models.CharField(max_length=50)
    message = models.TextField()
    hint = models.TextField()

    def __str__(self) -> str:
        return f"{self.plan}: {self.code} {self.path}"
