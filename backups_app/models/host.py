"""Which machine goes by which name: two that go by one would mix what they back up."""

from __future__ import annotations

from typing import Final

from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from backups_app.models.watch import Part, PartSeen

AT_WORK: Final = (Part.WORKER, Part.CONTROL)


class HostQuerySet(models.QuerySet["Host"]):
    def hold(self, name: str, machine: str) -> bool:
        """Go by that name. False when another machine does, and is seen alive.

        The one that came first stays; when it was not seen any more, the next may have the name.
        """
        here = PartSeen.objects.alive().filter(host=OuterRef("name"), part__in=AT_WORK)
        gone = Q(machine="") | ~Exists(here.filter(machine=OuterRef("machine")))
        row = self.filter(name=name)
        if row.filter(machine=machine).exists():
            return True
        if row.exists():
            return bool(row.filter(gone).update(machine=machine, since=Now()))
        try:
            with transaction.atomic():
                self.create(name=name, machine=machine)
        except IntegrityError:  # somebody was first: another part of ours, perhaps
            return row.filter(machine=machine).exists()
        return True


class Host(models.Model):
    """`machine`: the random name of the machine that has the data (see `engine.machine`)."""

    name = models.CharField(max_length=63, primary_key=True)
    machine = models.CharField(max_length=32)
    since = models.DateTimeField(db_default=Now())

    objects = HostQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
