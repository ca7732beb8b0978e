"""A plan: one data folder of one machine, with its schedule and what is kept of it.

The environment describes the plan `default` of the machine `main`; each row is one more. What a
row does not say (the bucket, keys, hooks, how instances are reached) the environment of the
machine says that runs the job: no secret is kept here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from backups_app.models.job import Job
from worker.engine import values
from worker.engine.config import DEFAULT_PLAN, HOME, PlanConfig, RestoreConfig
from worker.engine.instances.config import InstanceConfig
from worker.engine.instances.readers import driver_names
from worker.engine.settings import Settings


def plan_name(value: str) -> str:
    if value == DEFAULT_PLAN:
        raise values.BadValue("is the plan of the environment", "Choose another name.")
    return values.host(value)


def series_prefix(value: str) -> str:
    """As it is stored: the top of the bucket is a slash, for what is empty is filled in."""
    return values.prefix(value) or "/"


def whole_path(value: str) -> str:
    if not value.startswith("/") or "\0" in value:
        hint = "As on that machine: /srv/app/data."
        raise values.BadValue("must be a whole path", hint)
    return os.path.normpath(value)


def _number(low: int, high: int, default: int, about: str) -> Any:
    limits = (MinValueValidator(low), MaxValueValidator(high))
    return models.PositiveIntegerField(default=default, validators=limits, help_text=about)


class Plan(models.Model):
    """`full_clean` fills in what is left empty, and refuses what does not go together."""

    name = models.CharField(max_length=63, unique=True, help_text="a-z, 0-9, dot and dash")
    host = models.CharField(
        max_length=63, default=HOME, help_text="BACKUP_HOST of the machine with the data folder"
    )
    data_dir = models.CharField("data folder", max_length=1000)
    enabled = models.BooleanField(default=True, help_text="whether the schedule is on")
    schedule = models.CharField(max_length=200, default="0 2 * * *", help_text="a cron line")
    timezone = models.CharField(
        "time zone", max_length=100, blank=True, help_text="BACKUP_TIMEZONE when empty"
    )
    prefix = models.CharField(
        max_length=300, blank=True, help_text="the folder in the bucket; one of its own when empty"
    )
    backup_name = models.CharField(
        max_length=100, blank=True, help_text="how backups' names begin; BACKUP_NAME when empty"
    )
    max_backups = _number(1, 100_000, 3, "how many backups are kept")
    keep_daily = _number(0, 10_000, 0, "for how many days one is kept")
    keep_weekly = _number(0, 10_000, 0, "for how many weeks one is kept")
    keep_monthly = _number(0, 1_000, 0, "for how many months one is kept")
    keep_yearly = _number(0, 100, 0, "for how many years one is kept")
    compression_level = _number(1, 9, 6, "1 is fast, 9 is small")
    exclude = models.TextField(
        blank=True, max_length=10_000, help_text="gitignore patterns, one a line"
    )
    stop_instances = models.BooleanField(
        default=False, help_text="whether instances are stopped while data is read"
    )
    instance_driver = models.CharField(
        max_length=100,
        blank=True,
        help_text="none, or drivers with commas between; as that machine's environment when empty",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        default_permissions = ("change",)
        constraints = (
            models.UniqueConstraint(fields=["prefix", "backup_name"], name="one_plan_per_series"),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Raises `ValidationError` with the complaints of each field."""
        self._fill_in(settings.TARKEEP)
        wrong = {**dict(self._odd_values()), **dict(self._moved())}
        if "name" in wrong:
            wrong.pop("prefix", "")  # it may be made of the name
        if wrong := wrong or dict(self._clashes(settings.TARKEEP)):
            raise ValidationError(wrong)

    def at_work(self) -> bool:
        """Whether a job of it waits, runs, or has left something to be cleaned up."""
        jobs = Job.objects.filter(plan=self.name)
        return jobs.filter(Q(pk__in=jobs.active()) | Q(pk__in=jobs.left_behind())).exists()

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """With what is known about its present, in whatever model; its jobs stay."""
        for model in self._meta.app_config.get_models():
            if model is not Job and any(one.name == "plan" for one in model._meta.fields):
                model._default_manager.filter(plan=self.name).delete()
        return super().delete(*args, **options)

    def over(self, base: Settings) -> Settings:
        """The settings of this plan: its own, and for the rest those of the environment."""
        instances = self._instances(base.plan.instances)
        plan = replace(
            base.plan,
            plan=self.name,
            host=self.host,
            data_dir=Path(self.data_dir),
            read_dir=None,
            temp_dir=base.plan.temp_dir / f"plan-{self.name}",
            name=self.backup_name,
            prefix=values.prefix(self.prefix),
            compression_level=self.compression_level,
            timezone=self.timezone,
            exclude=values.patterns(self.exclude),
            stop_instances=self.stop_instances,
            instances=instances,
            restore=self._restore(base.plan.restore, instances),
            **{name: getattr(self, name) for name in _KEPT},
        )
        return replace(
            base,
            plan=plan,
            enabled=self.enabled,
            schedule=self.schedule,
            timezone=self.timezone,
        )

    def _instances(self, base: InstanceConfig) -> InstanceConfig:
        if not self.instance_driver:
            return base
        return replace(base, drivers=driver_names(self.instance_driver))

    def _restore(self, base: RestoreConfig, instances: InstanceConfig) -> RestoreConfig:
        """As in the environment: a restore stops what a driver can stop, unless told otherwise."""
        if base.stop_is_chosen:
            return base
        return replace(base, stop_instances=self.stop_instances or bool(instances.drivers))

    def _fill_in(self, base: Settings) -> None:
        """Once, so that a series stays where it is when the environment changes."""
        self.timezone = self.timezone or base.timezone
        self.prefix = self.prefix or f"{base.plan.prefix}{self.name}/"
        self.backup_name = self.backup_name or base.plan.name

    def _moved(self) -> Iterator[tuple[str, str]]:
        """What a plan cannot change, or not while something of it lies where it was."""
        before = Plan.objects.filter(pk=self.pk).first()
        if before is None:
            return
        if before.name != self.name:
            yield "name", "The name stays; remove the plan and make another."
        moved = [name for name in _PLACES if getattr(before, name) != getattr(self, name)]
        if moved and before.at_work():
            yield moved[0], "It has a job at work, or one to be cleaned up after: wait."

    def _odd_values(self) -> Iterator[tuple[str, str]]:
        for name, read in _READERS.items():
            try:
                given = read(getattr(self, name))
            except values.BadValue as bad:
                yield name, f"It {bad.complaint}. {bad.hint}"
            else:
                if isinstance(given, str):
                    setattr(self, name, given)

    def _clashes(self, base: Settings) -> Iterator[tuple[str, str]]:
        others = [row.over(base).plan for row in Plan.objects.exclude(pk=self.pk)]
        if base.host == HOME:
            others.append(base.plan)
        mine = self.over(base).plan
        for other in others:
            yield from clashes(mine, other)


_PLACES: Final = ("host", "data_dir", "prefix", "backup_name", "instance_driver")
_KEPT: Final = ("max_backups", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly")
_READERS: Final[dict[str, Callable[[str], object]]] = {
    "name": plan_name,
    "host": values.host,
    "data_dir": whole_path,
    "schedule": values.cron_line,
    "timezone": values.time_zone,
    "prefix": series_prefix,
    "backup_name": values.backup_name,
    "exclude": values.patterns,
    "instance_driver": lambda text: driver_names(text) if text else (),
}


def clashes(mine: PlanConfig, other: PlanConfig) -> Iterator[tuple[str, str]]:
    """By field, why the two must not both be: they would mix their backups, or their data."""
    if (mine.prefix, mine.name) == (other.prefix, other.name):
        yield "prefix", f"The plan {other.plan} has backups of that name in that folder."
    if mine.host == other.host and _overlap(mine.data_dir, other.data_dir):
        yield "data_dir", f"The plan {other.plan} has {other.data_dir}: one lies in the other."


def _overlap(one: Path, two: Path) -> bool:
    first, second = (Path(os.path.normpath(path)) for path in (one, two))
    return first.is_relative_to(second) or second.is_relative_to(first)
