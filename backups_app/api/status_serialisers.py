"""The JSON of the service's state."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from backups_app.api.backup_serialisers import ProofSerialiser
from backups_app.api.schedule import PauseSerialiser
from backups_app.api.serialisers import ErrorSerialiser, JobSerialiser
from backups_app.verdict import LEVELS


class CountsSerialiser(s.Serializer[Any]):
    backups = s.IntegerField(allow_null=True, help_text="null until the bucket was looked at")
    jobs = s.IntegerField()
    succeeded = s.IntegerField()
    failed = s.IntegerField(help_text="FAILED and LOST")


class SizesSerialiser(s.Serializer[Any]):
    latest = s.IntegerField(allow_null=True)
    total = s.IntegerField(allow_null=True)


class ProblemSerialiser(s.Serializer[Any]):
    variable = s.CharField()
    message = s.CharField()
    hint = s.CharField(allow_blank=True)


class DownInstanceSerialiser(s.Serializer[Any]):
    name = s.CharField(help_text="driver and id")
    jobId = s.UUIDField(source="job.id", help_text="the run that has left it stopped")
    since = s.DateTimeField(allow_null=True)
    message = s.CharField(allow_blank=True, help_text="why it does not start, as last seen")


class SafetyCopySerialiser(s.Serializer[Any]):
    """A folder that a restore or an undo replaced."""

    name = s.CharField()
    path = s.CharField()
    time = s.DateTimeField(help_text="when it was replaced")
    replacedBy = s.CharField(
        source="replaced_by", allow_null=True, help_text="the backup that was restored then"
    )
    partial = s.BooleanField(  # type: ignore[assignment]  # a field of that name, not the option
        help_text="it holds the replaced entries alone"
    )
    size = s.IntegerField(allow_null=True, help_text="bytes of its files, where known")


class AlertSerialiser(ErrorSerialiser):
    backupKey = s.CharField(source="backup_key", allow_blank=True)
    subject = s.CharField(allow_blank=True, help_text="what it is about: a part, an instance")
    at = s.DateTimeField(allow_null=True, help_text="the time that the message tells")


class ReasonSerialiser(AlertSerialiser):
    level = s.ChoiceField(choices=LEVELS)
    action = s.CharField(allow_blank=True, help_text="what to do about it, for a button")


class StandingSerialiser(s.Serializer[Any]):
    """Is the data safe? The reasons, the worst first; none when all is well."""

    level = s.ChoiceField(choices=LEVELS)
    newest = s.DateTimeField(
        allow_null=True, help_text="when the newest sound backup in the bucket was made"
    )
    reasons = ReasonSerialiser(many=True)


class PartSerialiser(s.Serializer[Any]):
    """A part of the service: web, worker, control or beat."""

    part = s.CharField()
    alive = s.IntegerField(help_text="processes seen in the last 45 seconds")
    seenAt = s.DateTimeField(source="seen", allow_null=True)


class StatusSerialiser(s.Serializer[Any]):
    plan = s.CharField()
    host = s.CharField(help_text="the machine that has the plan's data")
    enabled = s.BooleanField()
    schedule = s.CharField()
    timezone = s.CharField()
    nextRun = s.DateTimeField(source="next_run", allow_null=True)
    lastBackup = JobSerialiser(source="last_backup", allow_null=True)
    lastSuccess = s.DateTimeField(source="last_success", allow_null=True)
    lastVerified = ProofSerialiser(source="last_verified", allow_null=True)
    lastProven = ProofSerialiser(source="last_proven", allow_null=True)
    verifySchedule = s.CharField(source="verify_schedule", allow_blank=True)
    drillSchedule = s.CharField(source="drill_schedule", allow_blank=True)
    verdict = StandingSerialiser()
    alerts = AlertSerialiser(many=True)
    parts = PartSerialiser(many=True)
    paused = PauseSerialiser(allow_null=True)
    nextRuns = s.ListField(source="next_runs", child=s.DateTimeField())
    inProgress = s.BooleanField(source="in_progress")
    currentJob = JobSerialiser(source="current_job", allow_null=True)
    s3Bucket = s.CharField(source="s3_bucket", allow_blank=True)
    maxBackups = s.IntegerField(source="max_backups")
    stopInstancesBeforeBackup = s.BooleanField(source="stop_instances")
    encrypted = s.BooleanField()
    dataDir = s.CharField(source="data_dir")
    storageLocal = s.BooleanField(source="storage_local")
    workersAlive = s.IntegerField(source="workers_alive")
    counts = CountsSerialiser()
    sizes = SizesSerialiser()
    instancesDown = DownInstanceSerialiser(source="instances_down", many=True)
    safetyCopies = SafetyCopySerialiser(source="safety_copies", many=True)
    problems = ProblemSerialiser(many=True)
    version = s.CharField()
