"""What POST requests with an Idempotency-Key were answered: a repeat starts nothing anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import IntegrityError, models, transaction
from django.db.models import Q, Value
from django.db.models.functions import Now

KEPT: Final = timedelta(hours=24)
ABANDONED: Final = timedelta(hours=1, minutes=10)  # longer than any request with ?wait= takes


class OnceQuerySet(models.QuerySet["Once"]):
    def begin(self, *, caller: str, key: str, fingerprint: str) -> tuple[Once, bool]:
        """The row of that key, and whether it is new: then the request is to be run.

        One insert decides between two that come at once.
        """
        old = Q(created_at__lt=Now() - Value(KEPT))
        dead = Q(status=None, created_at__lt=Now() - Value(ABANDONED))
        self.filter(old | dead).delete()
        while True:
            try:
                with transaction.atomic():
                    return self.create(caller=caller, key=key, fingerprint=fingerprint), True
            except IntegrityError:
                # Gone again by now: the first request was refused, so this one is the first.
                if row := self.filter(caller=caller, key=key).first():
                    return row, False


class Once(models.Model):
    """`status` is null while the first request of that key is at work."""

    caller = models.CharField(max_length=100)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OnceQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["caller", "key"], name="one_answer_per_key"),
        )

    def __str__(self) -> str:
        return f"{self.key} of {self.caller}"
