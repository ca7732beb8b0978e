"""`manage.py doctor`: what is wrong with the whole service, and what to do about it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from backups_app import doctor, doctoring, plans
from worker.engine.cli.doctor import lines
from worker.engine.config import DEFAULT_PLAN
from worker.engine.errors import EngineError
from worker.engine.settings import Settings


class Command(BaseCommand):
    """Exit code 0 when nothing is bad, 1 for a part of the service, else as `tarkeep doctor`."""

    help = "Tries out settings, folders, bucket, database, Redis, parts and proofs."
    requires_system_checks: list[str] = []  # noqa: RUF012  declared so by Django

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="answer as JSON")
        parser.add_argument("--plan", default=DEFAULT_PLAN, help="of which plan")
        parser.add_argument("--store", action="store_true", help="keep the report for the API")

    def handle(self, *_: Any, **options: Any) -> None:
        report = doctor.examine(_settings(options["plan"]), now=timezone.now())
        if options["store"]:
            doctoring.store(options["plan"], report)
        text = json.dumps(report.as_dict(), indent=2) if options["json"] else lines(report)
        self.stdout.write(text)
        sys.exit(report.exit_code)


def _settings(plan: str) -> Settings:
    """Only where its data lies: the folders of another machine are not to be judged here."""
    try:
        found = plans.settings_of(plan)
        plans.demand_here(found, command=f"manage.py doctor --plan {plan}")
    except EngineError as error:
        raise CommandError(f"{error.message}. {error.hint}") from error
    return found
