"""Make an API token, and print its text, once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from backups_app import audit, roles
from backups_app.tokens import make_token, rights_of
from worker.engine.errors import EngineError


class Command(BaseCommand):
    help = (
        "Makes an API token and prints it. It is not kept: whoever loses it makes another. "
        "Without --owner it belongs to no account, and lives until it expires or is revoked."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012  declared so by Django

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what it is for, as in 'nightly report'")
        parser.add_argument("--role", choices=roles.NAMES, default="", help="what it may")
        parser.add_argument(
            "--permission",
            action="append",
            default=[],
            dest="permissions",
            help="for less than a role; may be given several times",
        )
        parser.add_argument("--days", type=int, default=90, help="default 90; 0: never expires")
        parser.add_argument("--owner", help="user name of the account whose rights bound it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            token, text = make_token(
                name=options["name"][:100],
                role=options["role"],
                permissions=options["permissions"],
                days=options["days"] or None,
                owner=self._owner(options["owner"]),
            )
        except EngineError as error:
            raise CommandError(f"{error.message}. {error.hint}") from error
        audit.record_command("create_token", target=str(token), **rights_of(token))
        self.stdout.write(text)

    def _owner(self, name: str | None) -> Any:
        found = get_user_model()._default_manager.filter(username=name).first() if name else None
        if name and found is None:
            raise CommandError(f"There is no account {name!r}. Make it in the admin first.")
        return found
