"""Make the first administrator, with a password that is shown once."""

from __future__ import annotations

import json
import secrets
from itertools import count
from typing import Any, Final

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from backups_app import audit, first_password, roles

USERNAME: Final = "admin"
PASSWORD_BYTES: Final = 15


class Command(BaseCommand):
    help = (
        "Creates an administrator, 'admin' or with a number behind it, when no account can sign "
        'in that is one. Prints one line of JSON: {"username": ..., "password": ...}; the '
        "password is null when there is an administrator already. It is in var/first-password too, "
        "until somebody has signed in with it."
    )
    # Wrong backup settings must not lock people out of the page that explains them.
    requires_system_checks: list[str] = []  # noqa: RUF012  declared so by Django

    def handle(self, *args: Any, **options: Any) -> None:
        made = None if _administrators().exists() else self._create()
        name, password = made or (USERNAME, None)
        self.stdout.write(json.dumps({"username": name, "password": password}))

    def _create(self) -> tuple[str, str] | None:
        name, password = _free_name(), secrets.token_urlsafe(PASSWORD_BYTES)
        try:
            with transaction.atomic():
                User.objects.create_superuser(name, "", password)
        except IntegrityError:  # another process made it this very moment
            return None
        if name != USERNAME:
            self.stderr.write(f"The account {USERNAME} is no administrator, so this is {name}.")
        first_password.keep(name, password)
        audit.record_command("create_first_admin", target=name)
        return name, password


def _administrators() -> QuerySet[User]:
    """Who can sign in and look after accounts; switched-off accounts and roles below cannot."""
    may = Q(is_superuser=True) | Q(is_staff=True, groups__name=roles.ADMIN)
    return User.objects.filter(may, is_active=True)


def _free_name() -> str:
    """An account of that name without the right is somebody else's, and gets none by this."""
    names = (USERNAME if number == 1 else f"{USERNAME}{number}" for number in count(1))
    return next(name for name in names if not User.objects.filter(username=name).exists())
