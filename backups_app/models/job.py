"""The job: the truth about what waits, what runs and what became of it.

Every move is one conditional UPDATE that names the states it may start from and, for a job
that runs, the fence its worker was given. Nothing changed means that someone else was first,
which is normal. All times are the database's: the clocks of workers do not matter.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Now

from backups_app.models.job_query import LEASE, JobQuerySet
from backups_app.raw import as_bytes
from backups_app.states import ACTIVE, State, sources
from worker.engine.config import DEFAULT_PLAN, HOME

MAX_ATTEMPTS: Final = 3  # of a job whose worker died
MAX_FAILURES: Final = 4  # of one that failed for a reason that may pass


class Kind(models.TextChoices):
    BACKUP = "backup"
    RESTORE = "restore"
    VERIFY = "verify"
    UNDO = "undo"
    DRILL = "drill"


REPLACING: Final = frozenset({Kind.RESTORE, Kind.UNDO})  # the data folder, by a swap
CHECKS: Final = (Kind.VERIFY, Kind.DRILL)  # read a backup, change nothing


class Trigger(models.TextChoices):
    MANUAL = "manual"
    SCHEDULE = "schedule"
    API = "api"
    ADMIN = "admin"
    CLI = "cli"
    IMPORT = "import"


class Mode(models.TextChoices):
    """How a backup is made: as the settings say, all packed anew, or all read and compared."""

    USUAL = ""
    FULL = "full"
    DEEP = "deep"


class Told(models.TextChoices):
    """What of a job people were told already: nothing, that it began, how it ended."""

    NOTHING = ""
    BEGINNING = "begin"
    END = "end"


class Job(models.Model):
    """One run of one plan. `effects` are the steps written down before they were done.

    `host`: the machine that has the plan's data; no other runs the job or cleans up after it.
    Of a restore, `paths` are words as people write them, `entries` paths as they are, as base64.
    `passing`: what made it fail may be over soon. `instances_down`: the run is over, and by its
    effects it has left instances stopped.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.CharField(max_length=100, default=DEFAULT_PLAN)
    host = models.CharField(max_length=63, default=HOME)
    kind = models.CharField(max_length=10, choices=Kind)
    trigger = models.CharField(max_length=10, choices=Trigger)
    requested_by = models.CharField(max_length=150, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    revision = models.PositiveIntegerField(default=1)

    slot = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=1)
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    dispatched_at = models.DateTimeField(null=True, blank=True)

    fence = models.BigIntegerField(default=0)
    owner = models.CharField(max_length=200, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    committed_step = models.CharField(max_length=30, blank=True)
    effects = models.JSONField(default=list, blank=True)
    passing = models.BooleanField(default=False)
    cleaned_up = models.BooleanField(default=False)
    instances_down = models.BooleanField(default=False)

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    phase = models.CharField(max_length=30, blank=True)
    phases = models.JSONField(default=list, blank=True)
    files_done = models.BigIntegerField(default=0)
    files_total = models.BigIntegerField(default=0)
    bytes_done = models.BigIntegerField(default=0)
    bytes_total = models.BigIntegerField(default=0)
    bytes_sent = models.BigIntegerField(default=0)
    bytes_per_second = models.BigIntegerField(default=0)
    warnings = models.JSONField(default=list, blank=True)
    warning_count = models.PositiveIntegerField(default=0)
    trouble_count = models.PositiveIntegerField(default=0)

    error_code = models.CharField(max_length=50, blank=True)
    error_message = models.TextField(blank=True)
    error_hint = models.TextField(blank=True)
    backup_key = models.CharField(max_length=1100, blank=True)
    paths = models.JSONField(default=list, blank=True)
    entries = models.JSONField(default=list, blank=True)
    target = models.CharField(max_length=100, blank=True)
    mode = models.CharField(max_length=4, choices=Mode, default=Mode.USUAL, blank=True)
    result = models.JSONField(default=dict, blank=True)
    told = models.CharField(max_length=5, choices=Told, default=Told.NOTHING, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["plan"],
                condition=Q(state__in=(State.PENDING, State.RUNNING)),
                name="one_active_job_per_plan",
            ),
            models.UniqueConstraint(fields=["plan", "kind", "slot"], name="one_job_per_slot"),
        )
        indexes = (
            models.Index(fields=["-created_at"], name="job_newest"),
            models.Index(fields=["id"], condition=~Q(told="end"), name="job_untold"),
        )
        permissions = (
            ("start_job", "Can start and cancel jobs"),
            ("keep_backup", "Can pin backups"),
            ("restore_backup", "Can restore backups and undo that"),
            ("download_backup", "Can download what is in backups"),
            ("delete_backup", "Can let backups go"),
            ("manage_tokens", "Can make and revoke API tokens"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {str(self.pk)[:8]}"

    @property
    def entry_paths(self) -> list[bytes]:
        return [as_bytes(entry) for entry in self.entries]

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    def finish(self, state: State, **fields: Any) -> bool:
        """End the run as this job's worker. False when the job is no longer its own."""
        return self._move(state, finished_at=Now(), lease_until=None, **fields)

    def lose(self, **fields: Any) -> bool:
        """Declare it LOST, if its lease is over still: a worker may have come back just now."""
        return self._move(State.LOST, Q(lease_until__lt=Now()), finished_at=Now(), **fields)

    def cancel(self) -> bool:
        """Cancel it while it waits, or ask its worker to stop. False when it is too late.

        Not fenced: a worker may claim the job between our reading it and this.
        """
        job = Job.objects.filter(pk=self.pk)
        raised = F("revision") + 1
        waiting = job.filter(state=State.PENDING)
        if waiting.update(state=State.CANCELLED, finished_at=Now(), revision=raised):
            return True
        stoppable = job.filter(state=State.RUNNING, committed_step="")
        asked = Coalesce("cancel_requested_at", Now())
        return bool(stoppable.update(cancel_requested_at=asked, revision=raised))

    def renew(self, **fields: Any) -> bool:
        """Hold the lease for another 90 s. False when it is no longer ours to hold."""
        lease = Now() + Value(LEASE)
        return self._changed(Q(state=State.RUNNING), lease_until=lease, **fields)

    def report(self, **fields: Any) -> bool:
        """Write progress that people see, and hold the lease with the same UPDATE."""
        return self.renew(revision=F("revision") + 1, **fields)

    def commit(self, step: str) -> bool:
        """Pass the point of no return, in one UPDATE with the checks. False: stop here.

        Refused when the job was cancelled (before its first commit), or its lease is lost.
        """
        free = Q(cancel_requested_at=None) | ~Q(committed_step="")
        ours = Q(state=State.RUNNING, lease_until__gt=Now())
        return self._changed(ours & free, committed_step=step)

    def update(self, condition: Q | None = None, **fields: Any) -> bool:
        """Change fields that people see: raises the revision."""
        return self._changed(condition or Q(), revision=F("revision") + 1, **fields)

    def _move(self, state: State, condition: Q | None = None, **fields: Any) -> bool:
        allowed = Q(state__in=sources(state)) & (condition or Q())
        return self.update(allowed, state=state, **fields)

    def _changed(self, condition: Q, **fields: Any) -> bool:
        mine = Job.objects.filter(pk=self.pk, fence=self.fence)
        return bool(mine.filter(condition).update(**fields))
