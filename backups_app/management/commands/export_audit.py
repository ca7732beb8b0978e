"""Write the audit log as JSON, one entry a line, oldest first."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from backups_app.models import AuditEntry


class Command(BaseCommand):
    help = "Writes the audit log to the standard output: one JSON object a line, oldest first."
    requires_system_checks: list[str] = []  # noqa: RUF012  declared so by Django

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--after", type=int, default=0, help="only entries above that number")

    def handle(self, *args: Any, **options: Any) -> None:
        entries = AuditEntry.objects.filter(number__gt=options["after"]).order_by("number")
        for entry in entries.iterator(chunk_size=1000):
            line = json.dumps(entry.as_json() | {"hash": entry.hash}, sort_keys=True)
            self.stdout.write(line)
