"""Rebuild the history from the bucket: for a new machine, or a database that was lost."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backups_app import plans
from backups_app.importing import import_catalogue
from worker.engine.config import DEFAULT_PLAN
from worker.engine.errors import EngineError
from worker.engine.sizes import human_size


class Command(BaseCommand):
    help = (
        "Writes the backups found in the bucket into the history, marked as imported. Safe to "
        "run again: what the history knows already is left alone. Listing and restoring work "
        "without it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--plan", default=DEFAULT_PLAN, help="of which plan")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            settings = plans.settings_of(options["plan"])
            found = import_catalogue(settings)
        except EngineError as error:
            raise CommandError(f"{error.message}\n{error.hint}") from error
        self.stdout.write(
            f"Found {found.backups} backups ({human_size(found.bytes)}) in the bucket "
            f"{settings.storage.bucket}: {found.added} added to the history, "
            f"{found.backups - found.added} known already."
        )
        if found.newest:
            self.stdout.write(f"The newest: {found.newest}")
        for key, why in found.troubles:
            self.stderr.write(f"{key}: {why}")
