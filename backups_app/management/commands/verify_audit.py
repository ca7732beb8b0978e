"""Check the audit log's chain of hashes, from the first entry to the last."""

from __future__ import annotations

from argparse import ArgumentParser
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backups_app.models import AuditEntry
from backups_app.models.audit import broken_links

TELL = 20


class Command(BaseCommand):
    help = (
        "Fails when an entry was changed, removed or put in. logs/app.log tells each entry's "
        "hash: with --hash the log must hold that one too, so that it was not written anew whole."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012  declared so by Django

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hash", help="of an entry, as told by a log file or an export")

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = list(islice(broken_links(), TELL))
        known = options["hash"]
        if known and not AuditEntry.objects.filter(hash=known).exists():
            wrong.append(f"No entry has the hash {known}.")
        if wrong:
            raise CommandError("The audit log was tampered with:\n" + "\n".join(wrong))
        last = AuditEntry.objects.first()
        count, head = (last.number, last.hash) if last else (0, "none")
        self.stdout.write(f"The audit log is whole: {count} entries, head {head}")
