"""Which permission a method of a view needs. What no view has declared is refused."""

from __future__ import annotations

import re
from typing import Any, Final

from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from backups_app import roles
from backups_app.api.auth import TokenHolder
from backups_app.signing_in import RECENT, is_recent

SAME_AS: Final = {"HEAD": "GET"}
ANYBODY_KNOWN: Final = ""  # needs a login or a token, and no permission
OPEN: Final = "open"  # to strangers: says nothing that they may not know


class NotAllowed(PermissionDenied):
    """Logged in, but without the permission. Says which role has it."""

    default_code = "not_allowed"

    def __init__(self, permission: str) -> None:
        super().__init__(f"You may not {roles.ABOUT[permission]}.")
        self.hint = f"Ask an administrator for the role {roles.role_with(permission)}."


class Declared(BasePermission):
    """A login or token with the permission that the view's `needs` names for the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        method = str(request.method)
        needed = view.needs.get(SAME_AS.get(method, method))
        if needed == OPEN:
            return True
        if not request.user or not request.user.is_authenticated:
            return False
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            return True  # answers what there is, or 405
        if needed is None:
            return False
        demand(request, needed)
        return True


def demand(request: Request, permission: str) -> None:
    """Raises `NotAllowed` unless whoever asks has that permission."""
    if permission != ANYBODY_KNOWN and not request.user.has_perm(permission):
        raise NotAllowed(permission)


class NotConfirmed(ValidationError):
    """A person has not typed the name of the backup."""

    hint = "Type the name of the backup, or the day in it, as in 2025-08-29."

    def __init__(self) -> None:
        super().__init__({"confirm": ["is not the name of the backup"]}, code="not_confirmed")


def demand_typed_name(request: Request, key: str, typed: str) -> None:
    """Raises `NotConfirmed` unless a person in a browser has typed the backup's name.

    The day in it suffices: who reads and types it has looked at which backup it is.
    """
    name = key.rpartition("/")[2]
    right = {key, name, name.removesuffix(".tar.gz"), _day_in(name)}
    if not isinstance(request.user, TokenHolder) and typed not in right:
        raise NotConfirmed


def _day_in(name: str) -> str:
    """`2025-08-29` of `…-2025-08-29T05-00-00-000Z.tar.gz`; the name itself where there is none."""
    found = _DAY.search(name)
    return found.group(1) if found else name


_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T[0-9Z-]+\.tar\.gz$")


class LoginTooOld(PermissionDenied):
    default_code = "login_too_old"
    hint = "Sign in again, then repeat it: /login/?again=1"

    def __init__(self) -> None:
        minutes = RECENT // 60
        super().__init__(f"For this one must have signed in within the last {minutes} minutes.")


def demand_recent_login(request: Request) -> None:
    """Raises `LoginTooOld` for an old session. A token is not a browser left open."""
    if isinstance(request.user, TokenHolder):
        return
    if not is_recent(request._request):
        raise LoginTooOld
