"""`/password/`: everybody changes their own, by giving the old one; written into the audit log."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy

from backups_app import audit, first_password
from backups_app.models import SignInAttempt
from backups_app.signing_in import REFUSED, wait_page


class OwnPassword(PasswordChangeView):
    """The old one is judged as when signing in: who found a browser open may not guess it."""

    template_name = "registration/password.html"
    success_url = reverse_lazy("password-changed")
    attempt: SignInAttempt

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name, address = request.user.get_username(), audit.address_of(request)
        attempt = SignInAttempt.objects.begin(name=name, address=address)
        if attempt is None:
            return wait_page(self)
        self.attempt = attempt
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        self.attempt.delete()
        answer = super().form_valid(form)
        first_password.forget(form.user.get_username())
        self._tell("done")
        return answer

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        if "old_password" not in form.errors:
            self.attempt.delete()
        self._tell(REFUSED)
        return super().form_invalid(form)

    def _tell(self, outcome: str) -> None:
        audit.record(
            "password",
            actor=self.request.user.get_username(),
            how="session",
            address=audit.address_of(self.request),
            outcome=outcome,
        )


def to_own_password(_: HttpRequest) -> HttpResponse:
    """One place for it: the admin's own would not be told."""
    return redirect("password")
