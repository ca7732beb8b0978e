"""What a plan's settings are: the one place that lays a plan over the environment.

The environment's own plan is `default`, of the machine `main`. On another machine its settings
for that plan say nothing, and nobody there works on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from django.conf import settings

from backups_app.models import Job, Plan
from backups_app.models.job_query import JobQuerySet
from backups_app.models.plan import clashes
from worker.engine.config import DEFAULT_PLAN, HOME
from worker.engine.errors import ConfigError, EngineError
from worker.engine.settings import Problem, Settings


class NoSuchPlan(EngineError):
    default_code = "PLAN_NOT_FOUND"
    default_hint = "GET /api/backup/plans lists the plans; without a name it is the plan default."


class EnvironmentsPlan(EngineError):
    default_code = "PLAN_OF_ENVIRONMENT"
    default_hint = "Change the settings in .env or the environment: docs/configuration.md."


class PlanBusy(EngineError):
    default_code = "PLAN_BUSY"
    default_hint = "Wait until it has ended, or cancel it."


def settings_of(name: str, base: Settings | None = None) -> Settings:
    """The settings of the plan of that name, over `base` (those of the environment).

    `NoSuchPlan`; `ConfigError` (OTHER_HOST) for the default plan on a machine that is not its.
    """
    base = base or settings.TARKEEP
    if name == DEFAULT_PLAN:
        return _default(base)
    return _row(name).over(base)


def demand_here(settings: Settings, *, command: str) -> None:
    """Raises `EngineError` (OTHER_HOST) unless this machine has the plan's data folder."""
    if not is_here(settings):
        plan = settings.plan
        raise EngineError(
            f"The data of plan {plan.plan} lies on the machine {plan.host}",
            hint=f"On that machine: {command}. docs/several-machines.md tells how.",
            code="OTHER_HOST",
        )


def history(name: str) -> JobQuerySet:
    """All jobs of the plan; those of one that was removed stay. `NoSuchPlan`."""
    jobs = Job.objects.filter(plan=name)
    if name not in names() and not jobs.exists():
        raise NoSuchPlan(f"There is no plan {name[:80]!r}")
    return jobs


def row_of(name: str) -> Plan:
    """The plan to be changed or removed. `NoSuchPlan`; `EnvironmentsPlan` for the default one."""
    if name == DEFAULT_PLAN:
        raise EnvironmentsPlan("The plan default is described by the environment")
    return _row(name)


def _row(name: str) -> Plan:
    row = Plan.objects.filter(name=name).first()
    if row is None:
        raise NoSuchPlan(f"There is no plan {name[:80]!r}")
    return row


def remove(row: Plan) -> None:
    """Forget the plan. Its backups and its history stay. `PlanBusy`."""
    if row.at_work():
        raise PlanBusy(f"The plan {row.name} has a job at work, or one to be cleaned up after")
    row.delete()


def is_here(settings: Settings) -> bool:
    """Whether this machine has the plan's data folder."""
    return settings.plan.host == settings.host


def names() -> list[str]:
    """Of all plans, the default one first."""
    return [DEFAULT_PLAN, *Plan.objects.values_list("name", flat=True)]


def all_settings(base: Settings | None = None) -> Iterator[Settings]:
    """Of each plan that can be known on this machine, the default one first."""
    base = base or settings.TARKEEP
    if base.host == HOME:
        yield _default(base)
    for row in Plan.objects.all():
        yield row.over(base)


def served(base: Settings | None = None) -> Iterator[Settings]:
    """Of each plan whose data folder this machine has."""
    base = base or settings.TARKEEP
    return (one for one in all_settings(base) if one.plan.host == base.host)


def _default(base: Settings) -> Settings:
    if base.host != HOME:
        raise ConfigError(
            f"This machine is {base.host}: the plan default belongs to {HOME}",
            hint="Set no BACKUP_HOST on the machine with web, control and beat.",
            code="OTHER_HOST",
        )
    return replace(base, problems=(*base.problems, *_clashing(base)))


def _clashing(base: Settings) -> Iterator[Problem]:
    """The environment may have changed since a plan was made."""
    for row in Plan.objects.all():
        for field, message in clashes(base.plan, row.over(base).plan):
            variable = {"prefix": "BACKUP_PREFIX", "data_dir": "BACKUP_DATA_DIR"}[field]
            yield Problem(variable, f"{variable} does not go: {message}", "Change one of the two.")
