"""What the database keeps: jobs, and a few rows about the present. Nothing per file."""

from backups_app.models.job import Job, Kind, Trigger
from backups_app.models.present import BucketSummary, ScheduleClock, WorkerSeen

__all__ = ["BucketSummary", "Job", "Kind", "ScheduleClock", "Trigger", "WorkerSeen"]
