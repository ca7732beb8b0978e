"""What a run said in the log, kept with its job: the log file of another host is out of reach."""

from __future__ import annotations

from typing import Final

from django.db import models

from backups_app.models.job import Job

MOST: Final = 2_000  # lines of one job


class JobLine(models.Model):
    """One line of the log. `at` is the worker's time."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="lines")
    at = models.DateTimeField()
    level = models.CharField(max_length=10)
    text = models.TextField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.level} {self.text}"
