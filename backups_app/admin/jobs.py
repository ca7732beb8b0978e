"""The history to look through, and a button that starts a backup."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from backups_app import roles, services
from backups_app.admin.looking import OnlyLooking
from backups_app.admin.told import told
from backups_app.api.serialisers import ProgressSerialiser
from backups_app.models import Job, Trigger
from backups_app.story import short_id
from worker.engine.errors import EngineError

if TYPE_CHECKING:
    JobModelAdmin = admin.ModelAdmin[Job]
else:  # generic in its type stubs only
    JobModelAdmin = admin.ModelAdmin

LINES = 500  # of a job's log


@admin.register(Job)
class JobAdmin(OnlyLooking, JobModelAdmin):
    """Jobs tell what happened, so nothing here changes or deletes one."""

    change_list_template = "backups_app/admin/jobs.html"
    date_hierarchy = "created_at"
    list_display = (
        "short_id", "kind", "state", "percent", "trigger", "requested_by", "created_at",
        "duration", "phase", "warning_count", "error_code",
    )  # fmt: skip
    list_filter = ("state", "kind", "trigger", "plan")
    search_fields = ("id", "backup_key", "requested_by", "error_code", "error_message")
    readonly_fields = ("percent", "duration", "dashboard", "log")

    @admin.display(description="job", ordering="id")
    def short_id(self, job: Job) -> str:
        return short_id(job.pk)

    @admin.display(description="seconds")
    def duration(self, job: Job) -> str:
        if not (job.started_at and job.finished_at):
            return ""
        return f"{(job.finished_at - job.started_at).total_seconds():.1f}"

    @admin.display(description="%")
    def percent(self, job: Job) -> str:
        done = ProgressSerialiser().get_percent(job)
        return "" if done is None else f"{done:g}"

    @admin.display(description="on the dashboard")
    def dashboard(self, job: Job) -> SafeString:
        links = [(f"/#/jobs/{job.pk}", f"job {short_id(job.pk)}")]
        if job.backup_key:
            links.append((f"/#/backups/{quote(job.backup_key, safe='')}", job.backup_key))
        return format_html_join(", ", '<a href="{}">{}</a>', links)

    @admin.display(description="log")
    def log(self, job: Job) -> SafeString:
        lines = ((line.text,) for line in job.lines.all()[:LINES])
        return format_html("<pre>{}</pre>", format_html_join("\n", "{}", lines))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.back_up_now)
        return [path("back-up-now/", view, name="back_up_now"), *super().get_urls()]

    def back_up_now(self, request: HttpRequest) -> HttpResponse:
        """Asks first."""
        if not request.user.has_perm(roles.START):
            raise PermissionDenied
        if request.method != "POST":
            context = {**self.admin_site.each_context(request), "title": "Back up now?"}
            return TemplateResponse(
                request, "backups_app/admin/back_up_now.html", {**context, "opts": self.opts}
            )
        self._back_up(request)
        return redirect("admin:backups_app_job_changelist")

    def _back_up(self, request: HttpRequest) -> None:
        by = request.user.get_username()
        try:
            job = services.start_backup(trigger=Trigger.ADMIN, requested_by=by)
            told(request, "trigger", str(job.pk))
            self.message_user(request, f"Backup {short_id(job.pk)} is queued.")
        except EngineError as error:
            self.message_user(request, f"{error.message}. {error.hint}", messages.ERROR)
