from __future__ import annotations

from django.apps import AppConfig


class BackupsConfig(AppConfig):
    name = "backups_app"
    verbose_name = "Backups"

    def ready(self) -> None:
        from backups_app import checks  # noqa: F401  registers them
