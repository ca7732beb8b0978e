"""The JSON of jobs and errors: camelCase outside, our names inside. docs/api.md has each field."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from backups_app.api.paths import path_json
from backups_app.models import Job, Kind, Mode, Trigger
from backups_app.states import State
from backups_app.waiting import why_waits
from worker.engine.instances.recorded import stopped_since

Serialiser = s.Serializer[Any]


class ErrorSerialiser(s.Serializer[Any]):
    """What every failed request answers, and what a failed job carries."""

    code = s.CharField()
    message = s.CharField()
    hint = s.CharField(allow_blank=True)


class PhaseSerialiser(s.Serializer[Any]):
    name = s.CharField()
    startedAt = s.DateTimeField()
    seconds = s.FloatField(allow_null=True, help_text="null while the phase lasts")


class WarningSerialiser(s.Serializer[Any]):
    code = s.CharField()
    path = s.CharField()
    message = s.CharField()


class ProgressSerialiser(s.Serializer[Job]):
    """Counts of the current measure; `percent` and `secondsLeft` are null when unknown."""

    filesDone = s.IntegerField(source="files_done")
    filesTotal = s.IntegerField(source="files_total")
    bytesDone = s.IntegerField(source="bytes_done")
    bytesTotal = s.IntegerField(source="bytes_total")
    bytesSent = s.IntegerField(source="bytes_sent")
    bytesPerSecond = s.IntegerField(source="bytes_per_second")
    percent = s.SerializerMethodField()
    secondsLeft = s.SerializerMethodField()
    stoppedSince = s.SerializerMethodField()

    def get_percent(self, job: Job) -> float | None:
        if job.state == State.SUCCEEDED:
            return 100.0
        if job.bytes_total <= 0:
            return None
        return round(min(100.0, 100 * job.bytes_done / job.bytes_total), 1)

    def get_secondsLeft(self, job: Job) -> int | None:
        left = job.bytes_total - job.bytes_done
        if job.state != State.RUNNING or job.bytes_per_second <= 0 or left < 0:
            return None
        return left // job.bytes_per_second

    def get_stoppedSince(self, job: Job) -> str | None:
        """When a run that still goes on has stopped instances that it has not started again."""
        return stopped_since(job.effects) if job.state == State.RUNNING else None


class JobSerialiser(s.ModelSerializer[Job]):
    """One job, whole: the same in answers, in lists and over the WebSocket."""

    kind = s.ChoiceField(choices=Kind.choices)
    trigger = s.ChoiceField(choices=Trigger.choices)
    requestedBy = s.CharField(source="requested_by")
    state = s.ChoiceField(choices=State.choices)
    slot = s.DateTimeField(allow_null=True)
    retryOf = s.UUIDField(source="retry_of_id", allow_null=True)
    notBefore = s.DateTimeField(source="not_before", allow_null=True)
    createdAt = s.DateTimeField(source="created_at")
    startedAt = s.DateTimeField(source="started_at", allow_null=True)
    finishedAt = s.DateTimeField(source="finished_at", allow_null=True)
    phases = PhaseSerialiser(many=True)
    progress = ProgressSerialiser(source="*")
    warnings = WarningSerialiser(many=True)
    warningCount = s.IntegerField(source="warning_count")
    error = s.SerializerMethodField()
    waits = s.SerializerMethodField()
    backupKey = s.CharField(source="backup_key")
    paths = s.ListField(child=s.CharField())
    entries = s.SerializerMethodField()
    mode = s.ChoiceField(choices=Mode.choices, help_text="of a backup; empty: as usual")
    cancelRequested = s.SerializerMethodField()
    result = s.DictField()

    class Meta:
        model = Job
        fields = (
            "id", "plan", "host", "kind", "trigger", "requestedBy", "state", "slot", "attempt",
            "retryOf", "notBefore", "revision", "createdAt", "startedAt", "finishedAt", "phase",
            "phases", "progress", "warnings", "warningCount", "error", "waits", "backupKey",
            "paths", "entries", "target", "mode", "cancelRequested", "result",
        )  # fmt: skip
        read_only_fields = fields

    def get_error(self, job: Job) -> ErrorJson | None:
        return error_of(job)

    def get_entries(self, job: Job) -> list[dict[str, str | None]]:
        return [path_json(path) for path in job.entry_paths]

    def get_waits(self, job: Job) -> ErrorJson | None:
        """Why it has not begun yet: its worker is away, or as many run as may."""
        why = why_waits(job)
        return why.as_dict() if why else None

    def get_cancelRequested(self, job: Job) -> bool:
        return job.cancel_requested_at is not None


ErrorJson = dict[str, str]


def error_of(job: Job) -> ErrorJson | None:
    if not job.error_code:
        return None
    return {"code": job.error_code, "message": job.error_message, "hint": job.error_hint}


def job_json(job: Job) -> dict[str, Any]:
    """The job as plain JSON values."""
    return dict(JobSerialiser(job).data)


class JobAnswerSerialiser(s.Serializer[Any]):
    message = s.CharField()
    jobId = s.UUIDField(source="job.id")
    job = JobSerialiser()


class FinishedAnswerSerialiser(JobAnswerSerialiser):
    backupKey = s.CharField(source="job.backup_key")


class ConflictSerialiser(ErrorSerialiser):
    job = JobSerialiser(required=False)


class JobListSerialiser(s.Serializer[Any]):
    count = s.IntegerField(help_text="all there are, not only those of this page")
    jobs = JobSerialiser(many=True)


class WaitSerialiser(s.Serializer[Any]):
    wait = s.IntegerField(
        min_value=0, max_value=3600, required=False, default=0, help_text="seconds"
    )


class TriggerBody(s.Serializer[Any]):
    mode = s.ChoiceField(
        choices=Mode.choices,
        allow_blank=True,
        required=False,
        default=Mode.USUAL,
        help_text="full: pack all anew; deep: read all and compare, send what differs",
    )


class PageSerialiser(s.Serializer[Any]):
    limit = s.IntegerField(min_value=1, max_value=200, required=False, default=50)
    offset = s.IntegerField(min_value=0, max_value=2**31, required=False, default=0)
    kind = s.ChoiceField(choices=Kind.choices, required=False)
    state = s.ChoiceField(choices=State.choices, required=False)
    trigger = s.ChoiceField(choices=Trigger.choices, required=False)
    since = s.DateTimeField(required=False, help_text="made at that time or later")
    until = s.DateTimeField(required=False, help_text="made before that time")
    order = s.ChoiceField(choices=["newest", "oldest"], required=False, default="newest")
