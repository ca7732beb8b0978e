"""The audit log: who did what, when, from where. Rows are added, never changed or removed.

Each row holds the SHA-256 of itself and of the row before it, so whoever changes, removes or
inserts one by hand must write anew all that follow, up to a head that the log file has told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from django.db import models, transaction
from django.utils import timezone

START: Final = "0" * 64


class AuditIsAppendOnly(TypeError):
    """A fault of the program: nothing may change or remove an entry."""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def update(self, **_: Any) -> NoReturn:
        raise AuditIsAppendOnly("Audit entries do not change")

    def delete(self) -> NoReturn:
        raise AuditIsAppendOnly("Audit entries stay")

    def bulk_create(self, *_: Any, **__: Any) -> NoReturn:
        raise AuditIsAppendOnly("Audit entries are added one by one, by `append`")

    def bulk_update(self, *_: Any, **__: Any) -> NoReturn:
        raise AuditIsAppendOnly("Audit entries do not change")


class AuditHead(models.Model):
    """One row: where the chain ends. Its lock lets one writer append at a time."""

    number = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=START)

    def __str__(self) -> str:
        return f"{self.number} {self.hash}"


class AuditEntry(models.Model):
    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    how = models.CharField(max_length=20)
    address = models.CharField(max_length=50, blank=True)
    action = models.CharField(max_length=50, db_index=True)
    target = models.CharField(max_length=1100, blank=True)
    outcome = models.CharField(max_length=50)
    details = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ("-number",)
        default_permissions = ("view",)
        verbose_name_plural = "audit log"

    def __str__(self) -> str:
        return f"{self.number} {self.action} by {self.actor}: {self.outcome}"

    def save(self, *args: Any, force_insert: Any = False, **options: Any) -> None:
        if not force_insert:
            raise AuditIsAppendOnly("Audit entries do not change")
        super().save(*args, force_insert=True, **options)

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        raise AuditIsAppendOnly("Audit entries stay")

    @classmethod
    def append(cls, **fields: Any) -> AuditEntry:
        """Add one. `at` is now."""
        with transaction.atomic():
            head, _ = AuditHead.objects.select_for_update().get_or_create(pk=1)
            entry = cls(number=head.number + 1, previous=head.hash, at=timezone.now(), **fields)
            entry.hash = entry.own_hash()
            entry.save(force_insert=True)
            head.number, head.hash = entry.number, entry.hash
            head.save()
        return entry

    def as_json(self) -> dict[str, Any]:
        """All fields but the own hash, as they are hashed and exported."""
        return {
            "number": self.number,
            "at": self.at.isoformat(timespec="microseconds"),
            "actor": self.actor,
            "how": self.how,
            "address": self.address,
            "action": self.action,
            "target": self.target,
            "outcome": self.outcome,
            "details": self.details,
            "previous": self.previous,
        }

    def own_hash(self) -> str:
        """Hex SHA-256 of the compact JSON with sorted keys."""
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def broken_links() -> Iterator[str]:
    """What is wrong with the chain, from its beginning; nothing when all is well."""
    number, previous = 0, START
    for entry in AuditEntry.objects.order_by("number").iterator(chunk_size=1000):
        number += 1
        if entry.number != number:
            yield f"Entry {number} is missing: {entry.number} is there in its place."
        if entry.previous != previous:
            yield f"Entry {entry.number} does not follow the entry before it."
        if entry.hash != entry.own_hash():
            yield f"Entry {entry.number} was changed."
        number, previous = entry.number, entry.hash
    head = AuditHead.objects.filter(pk=1).first() or AuditHead()
    if (head.number, head.hash) != (number, previous):
        yield f"The log ends with entry {number}, and should end with {head.number}."
