"""Who watches and what was seen: parts of the service, alerts that are open, notices to send."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Now

from worker.engine.config import HOME

GONE_AFTER: Final = timedelta(seconds=45)
SENDING: Final = timedelta(seconds=120)


class Part(models.TextChoices):
    """The processes that a whole service has, each at least once."""

    WEB = "web"
    WORKER = "worker"
    CONTROL = "control"
    BEAT = "beat"


class PartSeenQuerySet(models.QuerySet["PartSeen"]):
    def alive(self) -> PartSeenQuerySet:
        return self.filter(stopped=False, seen_at__gt=Now() - Value(GONE_AFTER))

    def mark(
        self,
        name: str,
        part: Part,
        *,
        host: str = HOME,
        machine: str = "",
        troubles: Sequence[object] = (),
    ) -> None:
        """The part of that name lives; forget those not seen for a day."""
        which: dict[str, Any] = {"name": name, "part": part, "host": host, "machine": machine}
        fields: dict[str, Any] = {"seen_at": Now(), "stopped": False, "troubles": list(troubles)}
        if not self.alive().filter(**which).update(**fields):
            self.update_or_create(**which, defaults={**fields, "since": Now()})
        self.filter(seen_at__lt=Now() - Value(timedelta(days=1))).delete()

    def leave(self, name: str, *, host: str = HOME, machine: str = "") -> None:
        """It ends as it should. The row stays: when it was last seen is worth knowing."""
        here = self.filter(name=name, host=host, machine__in=("", machine))
        here.update(stopped=True)


class PartSeen(models.Model):
    """A process of the service, renewed every 15 seconds by a thread of its own.

    `since`: since when it has lived without a gap. All times are the database's. `host` is its
    BACKUP_HOST; `machine` tells apart two machines that go by the same one. `troubles`: what it
    finds wrong with itself (`backups_app.troubles`).
    """

    name = models.CharField(max_length=200)
    part = models.CharField(max_length=10, choices=Part)
    since = models.DateTimeField()
    seen_at = models.DateTimeField()
    stopped = models.BooleanField(default=False)
    host = models.CharField(max_length=63, default=HOME)
    machine = models.CharField(max_length=32, blank=True)
    troubles = models.JSONField(default=list, db_default=Value([], models.JSONField()))

    objects = PartSeenQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["name", "part", "host", "machine"], name="one_row_per_part"
            ),
        )

    def __str__(self) -> str:
        return f"{self.part} {self.name}"


class OpenAlert(models.Model):
    """An alert that people were told of. Deleting it is what "recovered" means.

    `subject` tells alerts of one code apart: a part, a backup's key, or empty. `told_at`: when
    people were told last, for it is told again each day.
    """

    plan = models.CharField(max_length=100)
    code = models.CharField(max_length=50)
    subject = models.CharField(max_length=1100, blank=True)
    message = models.TextField()
    since = models.DateTimeField(auto_now_add=True)
    told_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["plan", "code", "subject"], name="one_alert_at_a_time"),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.subject}"


class NoticeState(models.TextChoices):
    """REPLACED: a newer one about the same thing came before this could be sent."""

    WAITING = "WAITING"
    SENT = "SENT"
    REPLACED = "REPLACED"
    GIVEN_UP = "GIVEN_UP"


class NoticeQuerySet(models.QuerySet["Notice"]):
    def waiting(self, target: Any, about: Any) -> NoticeQuerySet:
        """What an address is still to be told about one thing."""
        return self.filter(state=NoticeState.WAITING, target=target, about=about)

    def due(self) -> NoticeQuerySet:
        """Those whose turn it is: what is about one thing keeps its order."""
        same = self.model.objects.waiting(OuterRef("target"), OuterRef("about"))
        earlier = same.filter(pk__lt=OuterRef("pk"))
        waiting = self.filter(state=NoticeState.WAITING, next_at__lte=Now())
        return waiting.filter(~Exists(earlier))

    def take(self, pk: int) -> bool:
        """Claim it for two minutes. False: another process sends it, which is normal."""
        later = Now() + Value(SENDING)
        mine = self.filter(pk=pk, state=NoticeState.WAITING, next_at__lte=Now())
        return bool(mine.update(next_at=later, attempts=F("attempts") + 1))


class Notice(models.Model):
    """One message for one address: the outbox of notifications and heartbeats.

    `target` is a short hash of the address, which may hold a secret and so is not kept here.
    `about` is the thing it is about, `topic` what is said of it. `more` counts the like that were
    held back since. `reason`: why it was not taken the last time.
    """

    event = models.CharField(max_length=20)
    about = models.CharField(max_length=200, db_default="")
    topic = models.CharField(max_length=200)
    target = models.CharField(max_length=16)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=NoticeState, default=NoticeState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=100, blank=True, default="", db_default="")
    more = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    next_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        indexes = (
            models.Index(
                fields=["next_at"], condition=Q(state=NoticeState.WAITING), name="notice_due"
            ),
            models.Index(fields=["target", "about"], name="notice_about"),
        )

    def __str__(self) -> str:
        return f"{self.event}: {self.title}"
