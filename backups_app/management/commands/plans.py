"""Which plans there are, where their data lies, and whether anybody is there to work on them."""

from __future__ import annotations

import json
import shlex
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backups_app import hosts, plans
from backups_app.api.plan_serialisers import PlanListSerialiser
from backups_app.models import Plan
from backups_app.plan_variables import variables
from worker.engine.errors import EngineError
from worker.engine.settings import Settings

HEAD = ("PLAN", "MACHINE", "WORKER", "SCHEDULE", "DATA FOLDER", "IN THE BUCKET")


class Command(BaseCommand):
    help = "Lists the plans: machine, schedule, data folder, and whether the machine's worker runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="all of each plan, as JSON")
        parser.add_argument(
            "--env",
            metavar="NAME",
            help="that plan as variables for `tarkeep`, on the machine with its data",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        if options["env"]:
            self.stdout.write(_exports(options["env"]))
        elif options["json"]:
            found = {"plans": list(plans.all_settings()), "hosts": sorted(hosts.living())}
            drivers = dict(Plan.objects.values_list("name", "instance_driver"))
            answer = PlanListSerialiser(found, context={"drivers": drivers}).data
            self.stdout.write(json.dumps(answer, indent=2))
        else:
            self.stdout.write("\n".join(_table([HEAD, *_rows()])))


def _exports(name: str) -> str:
    try:
        found = plans.settings_of(name)
        plans.demand_here(found, command=f"manage.py plans --env {shlex.quote(name)}")
    except EngineError as error:
        raise CommandError(f"{error.message}. {error.hint}") from error
    driver = Plan.objects.filter(name=name).values_list("instance_driver", flat=True).first()
    given = variables(found, driver or "").items()
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in given)


def _rows() -> Iterator[Sequence[str]]:
    living = hosts.living()
    for one in plans.all_settings(settings.TARKEEP):
        plan, there = one.plan, "runs" if one.plan.host in living else "not seen"
        yield plan.plan, plan.host, there, _when(one), str(plan.data_dir), plan.prefix + plan.name


def _when(one: Settings) -> str:
    return f"{one.schedule} {one.timezone}" if one.enabled else "off"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
