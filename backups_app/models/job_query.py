"""Which jobs wait, run or are left behind, and how one is taken.

The answers are the database's: what counts as expired or due goes by its clock.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Now

from backups_app.models.host import Host
from backups_app.states import ACTIVE, State
from worker.engine.config import HOME

if TYPE_CHECKING:
    from backups_app.models.job import Job

LEASE: Final = timedelta(seconds=90)
HINT_AGE: Final = timedelta(seconds=20)  # lost with a half-open connection, say: see row 11
BURIED_WITHIN: Final = timedelta(days=30)  # later nobody cleans up after a job any more
HELD_BACK: Final = timedelta(minutes=5)


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
