"""`manage.py seen`: the health check of a container, whichever part runs in it."""

from __future__ import annotations

import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backups_app.models import Part, PartSeen


class Command(BaseCommand):
    """Exit code 0 when a part on this machine was seen within 45 seconds, else 1."""

    help = "Says which parts of Tarkeep were seen alive on this machine just now."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--part", choices=Part.values, help="ask for this one alone")

    def handle(self, *_: Any, **options: Any) -> None:
        host, part = f"@{socket.gethostname()}", options["part"]
        alive = PartSeen.objects.alive()
        names = (alive.filter(part=part) if part else alive).values_list("name", flat=True)
        here = sorted(name for name in names if name.partition(":")[0].endswith(host))
        if not here:
            which = f"The part {part}" if part else "No part"
            raise CommandError(f"{which} was {'not ' if part else ''}seen here within 45 seconds")
        self.stdout.write(", ".join(here))
