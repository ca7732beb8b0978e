from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin import apps as djangos


class BackupsConfig(AppConfig):
    name = "backups_app"
    verbose_name = "Backups"
    default = True

    def ready(self) -> None:
        from backups_app import checks  # noqa: F401  registers them


class AdminConfig(djangos.AdminConfig):
    default = False
    default_site = "backups_app.admin_site.Site"
