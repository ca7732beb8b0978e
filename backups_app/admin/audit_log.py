"""The audit log to look through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from backups_app.admin.looking import OnlyLooking
from backups_app.models import AuditEntry

if TYPE_CHECKING:
    AuditModelAdmin = admin.ModelAdmin[AuditEntry]
else:  # generic in its type stubs only
    AuditModelAdmin = admin.ModelAdmin


@admin.register(AuditEntry)
class AuditAdmin(OnlyLooking, AuditModelAdmin):
    list_display = ("number", "at", "actor", "how", "address", "action", "target", "outcome")
    list_filter = ("action", "how", "outcome")
    search_fields = ("actor", "target", "address")
