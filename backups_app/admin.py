"""Django's admin: the history to look through, and a button that starts a backup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from backups_app import services
from backups_app.models import Job, Trigger
from backups_app.story import short_id
from worker.engine.errors import EngineError

if TYPE_CHECKING:
    JobModelAdmin = admin.ModelAdmin[Job]
else:  # generic in its type stubs only
    JobModelAdmin = admin.ModelAdmin


@admin.register(Job)
class JobAdmin(JobModelAdmin):
    """Jobs tell what happened, so nothing here changes or deletes one."""

    change_list_template = "backups_app/admin_jobs.html"
    date_hierarchy = "created_at"
    list_display = (
        "short_id", "kind", "state", "trigger", "requested_by", "created_at", "duration",
        "phase", "warning_count", "error_code",
    )  # fmt: skip
    list_filter = ("state", "kind", "trigger", "plan")
    search_fields = ("id", "backup_key", "requested_by", "error_code", "error_message")

    @admin.display(description="job", ordering="id")
    def short_id(self, job: Job) -> str:
        return short_id(job.pk)

    @admin.display(description="seconds")
    def duration(self, job: Job) -> str:
        if not (job.started_at and job.finished_at):
            return ""
        return f"{(job.finished_at - job.started_at).total_seconds():.1f}"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.back_up_now))
        return [path("back-up-now/", view, name="back_up_now"), *super().get_urls()]

    def back_up_now(self, request: HttpRequest) -> HttpResponseRedirect:
        if not request.user.has_perm("backups_app.start_job"):
            raise PermissionDenied
        try:
            job = services.start_backup(
                trigger=Trigger.ADMIN, requested_by=request.user.get_username()
            )
            self.message_user(request, f"Backup {short_id(job.pk)} is queued.")
        except EngineError as error:
            self.message_user(request, f"{error.message}. {error.hint}", messages.ERROR)
        return redirect("admin:backups_app_job_changelist")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
