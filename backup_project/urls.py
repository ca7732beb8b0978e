"""All addresses of the web part."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import include, path
from django.views.i18n import JavaScriptCatalog as Texts
from django.views.i18n import set_language

from backups_app import metrics, pages, ready, recovery_kit, signing_in
from backups_app.api.described import SchemaView
from backups_app.own_password import OwnPassword, to_own_password

urlpatterns = [
    path("", pages.dashboard, name="dashboard"),
    path("recovery-kit/", recovery_kit.page, name="recovery-kit"),
    path("recovery-kit/tarkeep_decrypt.py", recovery_kit.script, name="decrypt-script"),
    path("texts.js", login_required(Texts.as_view(packages=["backups_app"])), name="texts"),
    path("language/", login_required(set_language), name="language"),
    path("login/", signing_in.SignIn.as_view(), name="login"),
    path("logout/", signing_in.SignOut.as_view(), name="logout"),
    path("healthz", pages.healthz, name="healthz"),
    path("readyz", ready.ReadyView.as_view(), name="readyz"),
    path("metrics", metrics.MetricsView.as_view(), name="metrics"),
    path("password/", login_required(OwnPassword.as_view()), name="password"),
    path("password/changed/", pages.password_changed, name="password-changed"),
    path("admin/password_change/", login_required(to_own_password)),
    path("admin/login/", signing_in.to_sign_in),
    path("admin/logout/", signing_in.SignOut.as_view()),
    path("admin/", admin.site.urls),
    path("api/backup/", include("backups_app.api.urls")),
    path("api/docs/", pages.api_docs, name="api-docs"),
    path("api/schema/", SchemaView.as_view(), name="schema"),
]
handler400 = "backups_app.api.errors.bad_request"
handler404 = "backups_app.api.errors.not_found"
handler500 = "backups_app.api.errors.server_error"
