"""Make the first administrator, with a password that is shown once."""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import IntegrityError

USERNAME: Final = "admin"
PASSWORD_BYTES: Final = 15


class Command(BaseCommand):
    help = (
        "Creates the administrator 'admin' when there is none. Prints one line of JSON: "
        '{"username": ..., "password": ...}; the password is null when one exists already.'
    )
    # Wrong backup settings must not lock people out of the page that explains them.
    requires_system_checks: list[str] = []  # noqa: RUF012  declared so by Django

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps({"username": USERNAME, "password": self._create()}))

    def _create(self) -> str | None:
        users = get_user_model()._default_manager
        if users.filter(is_superuser=True).exists():
            return None
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        try:
            users.create_superuser(USERNAME, "", password)
        except IntegrityError:  # another process made it this very moment
            return None
        return password
