"""Plans in the admin. The one of the environment is shown, and not to be changed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from backups_app import hosts, plans, roles, services
from backups_app.admin.looking import RecentLogin
from backups_app.admin.told import Told, told
from backups_app.models import Plan, Trigger
from backups_app.story import short_id
from worker.engine.errors import EngineError

if TYPE_CHECKING:
    PlanModelAdmin = admin.ModelAdmin[Plan]
else:  # generic in its type stubs only
    PlanModelAdmin = admin.ModelAdmin


@admin.register(Plan)
class PlanAdmin(RecentLogin, Told, PlanModelAdmin):
    change_list_template = "backups_app/admin/plans.html"
    list_display = ("name", "host", "worker", "data_dir", "enabled", "schedule", "timezone")
    list_filter = ("host", "enabled")
    actions = ("back_up_now",)
    fieldsets = (
        (None, {"fields": ("name", "host", "data_dir", "exclude")}),
        ("When", {"fields": ("enabled", "schedule", "timezone")}),
        (
            "What is kept",
            {"fields": ("max_backups", "keep_daily", "keep_weekly", "keep_monthly", "keep_yearly")},
        ),
        ("In the bucket", {"fields": ("prefix", "backup_name", "compression_level")}),
        ("Instances", {"fields": ("stop_instances", "instance_driver")}),
    )

    @admin.display(description="worker seen", boolean=True)
    def worker(self, plan: Plan) -> bool:
        return plan.host in hosts.living()

    @admin.action(description="Back up now")
    def back_up_now(self, request: HttpRequest, queryset: QuerySet[Plan]) -> None:
        for plan in queryset:
            try:
                who = request.user.get_username()
                job = services.start_backup(trigger=Trigger.ADMIN, requested_by=who, plan=plan.name)
            except EngineError as error:
                self.message_user(
                    request, f"{plan.name}: {error.message}. {error.hint}", messages.ERROR
                )
            else:
                told(request, "trigger", str(job.pk))
                self.message_user(request, f"{plan.name}: backup {short_id(job.pk)} is queued.")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        shown = plans.settings_of("default") if hosts.is_home(settings.TARKEEP) else None
        return super().changelist_view(request, {**(extra_context or {}), "environment": shown})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name",) if obj else ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(roles.VIEW)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(roles.PLANS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(roles.PLANS)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(roles.PLANS) and not (obj and obj.at_work())

    def get_actions(self, request: HttpRequest) -> Any:
        """One by one: a plan with a job at work stays, and each forgets its own present."""
        found = super().get_actions(request)
        found.pop("delete_selected", None)
        if not request.user.has_perm(roles.START):
            found.pop("back_up_now", None)
        return found
