"""The admin as a whole: who may open it, and the page of all settings.

Apart from `backups_app.admin`, whose modules register themselves with it.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from backups_app import roles


class Site(AdminSite):
    site_header = site_title = "Tarkeep"
    index_title = "Administration"
    index_template = "backups_app/admin/index.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Whoever looks after tokens and accounts, and others that were let in by `is_staff`.

        Inside each page asks for its own permission, so a flag that somebody forgot to take away
        shows no more than the dashboard does.
        """
        user = request.user
        return bool(user.is_active and (user.is_staff or user.has_perm(roles.TOKENS)))

    def get_urls(self) -> list[Any]:
        page = self.admin_view(self.settings_page)
        return [path("settings/", page, name="settings"), *super().get_urls()]

    def settings_page(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(roles.VIEW):
            raise PermissionDenied
        context = {
            **self.each_context(request),
            "title": "Settings in effect",
            "settings": settings.SETTINGS_IN_EFFECT,
        }
        return TemplateResponse(request, "backups_app/admin/settings.html", context)
