"""Signing in and out: written into the audit log, and slowed down for whoever guesses.

The limits count rows of the database (`SignInAttempt`): they hold for all web processes together,
across restarts, and without Redis. They are the same for names that there are and that are not.
"""

from __future__ import annotations

import time
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import urlencode

from backups_app import audit, first_password, refusals
from backups_app.models import SignInAttempt
from backups_app.models.attempt import WINDOW

SIGNED_IN_AT: Final = "signed_in_at"  # seconds since 1970, in the session
RECENT: Final = 15 * 60  # seconds
REFUSED, UNKNOWN = "refused", "unknown account"


class SignIn(LoginView):
    """`?again=1` asks for the password of somebody who is signed in still."""

    attempt: SignInAttempt

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.redirect_authenticated_user = "again" not in request.GET
        return super().dispatch(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        name, address = request.POST.get("username", ""), audit.address_of(request)
        attempt = SignInAttempt.objects.begin(name=name, address=address)
        if attempt is None:
            if refusals.is_news(address, "login"):
                audit.record_login(request, _known(name), outcome="THROTTLED")
            return wait_page(self)
        self.attempt = attempt
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        self.attempt.delete()
        answer = super().form_valid(form)
        self.request.session[SIGNED_IN_AT] = int(time.time())
        first_password.forget(form.get_user().get_username())
        audit.record_login(self.request, form.get_user().get_username(), outcome="done")
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        name = _known(form.data.get("username", ""))
        audit.record_login(self.request, name, outcome=REFUSED)
        return super().form_invalid(form)


class SignOut(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated:
            name, address = request.user.get_username(), audit.address_of(request)
            audit.record("logout", actor=name, how="session", address=address)
        return super().post(request, *args, **kwargs)


def wait_page(view: Any) -> HttpResponse:
    """The view's page with an empty form, which says for how long no password is judged."""
    answer: HttpResponse = view.render_to_response({"wait": WINDOW.seconds // 60}, status=429)
    answer["Retry-After"] = str(WINDOW.seconds)
    return answer


def is_recent(request: HttpRequest) -> bool:
    """Whether the session was opened, or the password given again, in the last minutes."""
    signed_in_at: float = request.session.get(SIGNED_IN_AT, 0)
    return 0 <= time.time() - signed_in_at <= RECENT


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """One place to sign in: the admin's own would know neither limits nor the audit log."""
    following = request.GET.get("next") or "/admin/"
    return redirect(f"/login/?{urlencode({'next': following})}")


def _known(name: str) -> str:
    """What was typed as a name may be a password: only names that there are get written down."""
    found = get_user_model()._default_manager.filter(username=name[:150]).exists()
    return name if found else UNKNOWN
