"""Pages for people, and the sign of life for machines."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from backups_app import plans, roles
from backups_app.modules import SHEETS, first_load
from backups_app.signing_in import RECENT, SIGNED_IN_AT
from worker.engine.config import DEFAULT_PLAN


@require_safe
@login_required
@ensure_csrf_cookie
def dashboard(request: HttpRequest) -> HttpResponse:
    """The page fetches all it shows from the API; it needs the CSRF cookie to send forms.

    `?plan=`: the plan it is about; names of plans are for those who may look alone.
    """
    names = plans.names() if request.user.has_perm(roles.VIEW) else [DEFAULT_PLAN]
    plan = request.GET.get("plan", DEFAULT_PLAN)
    if plan not in names:
        return redirect("dashboard")
    may = [name.partition(".")[2] for name in roles.ABOUT if request.user.has_perm(name)]
    signed_in_at = request.session.get(SIGNED_IN_AT, 0)
    context: dict[str, Any] = {
        "may": " ".join(may),
        "plan": plan,
        "plans": " ".join(names) if len(names) > 1 else "",
        "recent_until": (signed_in_at + RECENT) * 1000,
        "sheets": SHEETS,
        "modules": first_load(),
    }
    return render(request, "backups_app/dashboard.html", context)


@require_safe
@login_required
@permission_required(roles.VIEW, raise_exception=True)
@ensure_csrf_cookie
def api_docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI, from files of our own."""
    return render(request, "backups_app/api_docs.html")


@require_safe
@login_required
def password_changed(request: HttpRequest) -> HttpResponse:
    return render(request, "registration/password.html", {"changed": True})


@require_safe
def healthz(_: HttpRequest) -> HttpResponse:
    """200 while the process answers. Says nothing else: anybody may ask."""
    return HttpResponse("ok\n", content_type="text/plain")
