"""Addresses under /api/backup/. A slash at the end is neither needed nor redirected to."""

from __future__ import annotations

from django.urls import re_path

from backups_app.api import (
    accounts,
    cleaning,
    doctor,
    file_views,
    history,
    jobs,
    keeping,
    notify,
    plans,
    schedule,
    setup,
    starting,
    views,
)

JOB = r"jobs/(?P<job_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
HELD = r"tokens/(?P<token_id>[0-9a-f]{8})"
PLAN = r"plans/(?P<name>[a-z0-9][a-z0-9.-]{0,62})"

urlpatterns = [
    re_path(r"^plans/?$", plans.PlansView.as_view(), name="plans"),
    re_path(rf"^{PLAN}/?$", plans.PlanView.as_view(), name="plan"),
    re_path(r"^status/?$", views.StatusView.as_view(), name="status"),
    re_path(r"^trigger/?$", starting.TriggerView.as_view(), name="trigger"),
    re_path(r"^list/?$", views.BackupsView.as_view(), name="list"),
    re_path(r"^restore/?$", starting.RestoreView.as_view(), name="restore"),
    re_path(r"^undo/?$", starting.UndoView.as_view(), name="undo"),
    re_path(r"^verify/?$", starting.VerifyView.as_view(), name="verify"),
    re_path(r"^files/?$", file_views.FilesView.as_view(), name="files"),
    re_path(r"^search/?$", file_views.SearchView.as_view(), name="search"),
    re_path(r"^diff/?$", file_views.DiffView.as_view(), name="diff"),
    re_path(r"^download/?$", file_views.DownloadView.as_view(), name="download"),
    re_path(
        r"^preview-restore/?$", file_views.PreviewRestoreView.as_view(), name="preview-restore"
    ),
    re_path(r"^pin/?$", keeping.PinView.as_view(), name="pin"),
    re_path(r"^retention/?$", keeping.RetentionView.as_view(), name="retention"),
    re_path(r"^retention/confirm/?$", keeping.ConfirmView.as_view(), name="retention-confirm"),
    re_path(r"^delete/?$", keeping.DeleteView.as_view(), name="delete"),
    re_path(r"^prune/?$", cleaning.PruneView.as_view(), name="prune"),
    re_path(r"^tidy/?$", cleaning.TidyView.as_view(), name="tidy"),
    re_path(r"^dry-run/?$", cleaning.DryRunView.as_view(), name="dry-run"),
    re_path(r"^settings/?$", setup.SettingsView.as_view(), name="settings"),
    re_path(r"^schedule/pause/?$", schedule.PauseView.as_view(), name="schedule-pause"),
    re_path(r"^schedule/resume/?$", schedule.ResumeView.as_view(), name="schedule-resume"),
    re_path(r"^doctor/?$", doctor.DoctorView.as_view(), name="doctor"),
    re_path(r"^notify/test/?$", notify.NotifyTestView.as_view(), name="notify-test"),
    re_path(r"^me/?$", accounts.MeView.as_view(), name="me"),
    re_path(r"^tokens/?$", accounts.TokensView.as_view(), name="tokens"),
    re_path(rf"^{HELD}/revoke/?$", accounts.RevokeView.as_view(), name="revoke-token"),
    re_path(r"^audit/?$", accounts.AuditView.as_view(), name="audit"),
    re_path(r"^drill/?$", starting.DrillView.as_view(), name="drill"),
    re_path(r"^jobs/?$", jobs.JobsView.as_view(), name="jobs"),
    re_path(r"^jobs/days/?$", history.DaysView.as_view(), name="days"),
    re_path(r"^jobs/series/?$", history.SeriesView.as_view(), name="series"),
    re_path(rf"^{JOB}/log/?$", history.LogView.as_view(), name="job-log"),
    re_path(rf"^{JOB}/?$", jobs.JobView.as_view(), name="job"),
    re_path(rf"^{JOB}/cancel/?$", jobs.CancelView.as_view(), name="cancel"),
]
