"""All addresses of the web part."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

from backups_app import pages

urlpatterns = [
    path("", pages.dashboard, name="dashboard"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("healthz", pages.healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("api/backup/", include("backups_app.api.urls")),
    path("api/schema/", SpectacularJSONAPIView.as_view(), name="schema"),
]
handler404 = "backups_app.api.errors.not_found"
handler500 = "backups_app.api.errors.server_error"
