"""What watches, to look through: notices, alerts that are open, parts that were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from backups_app.admin.looking import OnlyLooking
from backups_app.models import Notice, OpenAlert, PartSeen

if TYPE_CHECKING:
    NoticeModelAdmin = admin.ModelAdmin[Notice]
    AlertModelAdmin = admin.ModelAdmin[OpenAlert]
    PartModelAdmin = admin.ModelAdmin[PartSeen]
else:  # generic in its type stubs only
    NoticeModelAdmin = AlertModelAdmin = PartModelAdmin = admin.ModelAdmin


@admin.register(Notice)
class NoticeAdmin(OnlyLooking, NoticeModelAdmin):
    """`target` is a hash of the address."""

    list_display = ("created_at", "event", "title", "state", "attempts", "reason", "target")
    list_filter = ("state", "event", "target")
    search_fields = ("title", "body")
    ordering = ("-pk",)


@admin.register(OpenAlert)
class AlertAdmin(OnlyLooking, AlertModelAdmin):
    list_display = ("since", "code", "subject", "message", "told_at", "plan")
    list_filter = ("code", "plan")


@admin.register(PartSeen)
class PartAdmin(OnlyLooking, PartModelAdmin):
    list_display = ("part", "name", "host", "since", "seen_at", "stopped")
    list_filter = ("part", "stopped", "host")
