"""Addresses under /api/backup/. A slash at the end is neither needed nor redirected to."""

from __future__ import annotations

from django.urls import re_path

from backups_app.api import views

JOB = r"jobs/(?P<job_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

urlpatterns = [
    re_path(r"^status/?$", views.StatusView.as_view(), name="status"),
    re_path(r"^trigger/?$", views.TriggerView.as_view(), name="trigger"),
    re_path(r"^list/?$", views.BackupsView.as_view(), name="list"),
    re_path(r"^restore/?$", views.RestoreView.as_view(), name="restore"),
    re_path(r"^verify/?$", views.VerifyView.as_view(), name="verify"),
    re_path(r"^jobs/?$", views.JobsView.as_view(), name="jobs"),
    re_path(rf"^{JOB}/?$", views.JobView.as_view(), name="job"),
    re_path(rf"^{JOB}/cancel/?$", views.CancelView.as_view(), name="cancel"),
]
