"""Pages for people, and the sign of life for machines."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe


@require_safe
@login_required
@ensure_csrf_cookie
def dashboard(request: HttpRequest) -> HttpResponse:
    """The page fetches all it shows from the API; it needs the CSRF cookie to send forms."""
    return render(request, "backups_app/dashboard.html")


@require_safe
def healthz(_: HttpRequest) -> HttpResponse:
    """200 while the process answers. Says nothing else: anybody may ask."""
    return HttpResponse("ok\n", content_type="text/plain")
