"""The job: the truth about what waits, what runs and what became of it.

Every move is one conditional UPDATE that names the states it may start from and, for a job
that runs, the fence its worker was given. Nothing changed means that someone else was first,
which is normal. All times are the database's: the clocks of workers do not matter.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Final

from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Now

from backups_app.models.host import Host
from backups_app.raw import as_bytes
from backups_app.states import ACTIVE, State, sources
from worker.engine.config import DEFAULT_PLAN, HOME

LEASE: Final = timedelta(seconds=90)
HINT_AGE: Final = timedelta(seconds=20)  # lost with a half-open connection, say: see row 11
MAX_ATTEMPTS: Final = 3  # of a job whose worker died
MAX_FAILURES: Final = 4  # of one that failed for a reason that may pass
BURIED_WITHIN: Final = timedelta(days=30)  # later nobody cleans up after a job any more
HELD_BACK: Final = timedelta(minutes=5)


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


class Told(models.TextChoices):
    """What of a job people were told already: nothing, that it began, how it ended."""

    NOTHING = ""
    BEGINNING = "begin"
    END = "end"


class JobQuerySet(models.QuerySet["Job"]):
    def active(self) -> JobQuerySet:
        return self.filter(state__in=ACTIVE)

    def running(self) -> JobQuerySet:
        """Those whose worker holds its lease."""
        return self.filter(state=State.RUNNING, lease_until__gt=Now())

    def left_behind(self) -> JobQuerySet:
        """Ended, but what they have begun may still have to be undone, by the settings they had."""
        kept = self.unburied().filter(finished_at__gt=Now() - Value(BURIED_WITHIN))
        return self.filter(Q(pk__in=kept) | Q(instances_down=True))

    def due(self) -> JobQuerySet:
        """Waiting, not told to wait longer, and not held back by a death just now.

        What a lost job had begun is undone first: its instances started, its swap settled. That
        takes seconds; what takes longer (a bucket out of reach) must not cost us the backups.
        """
        waiting = self.filter(state=State.PENDING).filter(
            Q(not_before=None) | Q(not_before__lte=Now())
        )
        unburied = self.model.objects.filter(
            plan=OuterRef("plan"),
            state=State.LOST,
            cleaned_up=False,
            finished_at__gt=Now() - Value(HELD_BACK),
        )
        return waiting.filter(~Exists(unburied))

    def unburied(self) -> JobQuerySet:
        """Ended, and neither cleaned up after nor tried again by now."""
        ended = Q(state=State.LOST) | Q(state=State.FAILED, passing=True)
        return self.filter(ended, cleaned_up=False)

    def put_off(self) -> JobQuerySet:
        """New attempts that wait for better times. Whatever else is asked for goes first."""
        return self.filter(state=State.PENDING, retry_of__isnull=False, not_before__gt=Now())

    def chosen(self, *, order: str = "newest", **wanted: Any) -> JobQuerySet:
        """Of a history's page: by `kind`, `state`, `trigger`, and made `since` and `until`."""
        fields = {"since": "created_at__gte", "until": "created_at__lt"}
        names = ("kind", "state", "trigger", "since", "until")
        given = {fields.get(name, name): wanted[name] for name in names if name in wanted}
        return self.filter(**given).order_by("created_at" if order == "oldest" else "-created_at")

    def unhinted(self) -> JobQuerySet:
        """Due, and no hint was sent for twenty seconds: it may have been lost."""
        return self.due().filter(
            Q(dispatched_at=None) | Q(dispatched_at__lt=Now() - Value(HINT_AGE))
        )

    def expired(self) -> JobQuerySet:
        """Running by name, but the worker let the lease run out."""
        return self.filter(state=State.RUNNING, lease_until__lt=Now())

    def claim(
        self, job_id: uuid.UUID | str, *, owner: str, host: str = HOME, at_most: int = 0
    ) -> Job | None:
        """Take a waiting job of that machine, or None when it is not to be had.

        1. One UPDATE turns PENDING into RUNNING; the database lets one of many callers win.
        2. A second hint for the same job finds it no longer PENDING, and is a no-op.
        3. The fence is greater than that of every earlier job of the plan, so whatever an
           earlier worker still tries is refused.
        4. With a limit, `at_most` so many run on all machines together; claims take turns then.
        """
        with transaction.atomic():
            if at_most and self._count_in_turn() >= at_most:
                return None
            return self._take(job_id, owner, host)

    def _count_in_turn(self) -> int:
        """How many run now. Until the transaction ends nobody else counts."""
        Host.objects.select_for_update().get_or_create(name=HOME)
        return self.running().count()

    def _take(self, job_id: uuid.UUID | str, owner: str, host: str) -> Job | None:
        last = self.model.objects.filter(plan=OuterRef("plan")).order_by("-fence").values("fence")
        won = (
            self.due()
            .filter(pk=job_id, host=host)
            .update(
                state=State.RUNNING,
                revision=F("revision") + 1,
                fence=Coalesce(Subquery(last[:1]), 0) + 1,
                owner=owner,
                lease_until=Now() + Value(LEASE),
                started_at=Now(),
            )
        )
        return self.get(pk=job_id) if won else None


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
