"""Make API tokens: what may be asked for, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from backups_app import roles
from backups_app.models import ApiToken
from worker.engine.errors import EngineError

LONGEST = 3650  # days


class TokenRefused(EngineError):
    """What was asked for makes no token."""

    default_code = "TOKEN_REFUSED"


def make_token(
    *, name: str, role: str = "", permissions: list[str] | None = None, days: int | None = 90,
    owner: Any = None, parent: ApiToken | None = None,
) -> tuple[ApiToken, str]:  # fmt: skip
    """A new token and its text, to be shown once. Give a role, or permissions by name.

    It may no more than the `owner` or `parent` that makes it, ends no later than its parent, and
    is revoked with it. `days` None: it never expires. `TokenRefused`.
    """
    wanted = _permissions(role, permissions or [])
    _demand_own(wanted, parent.may if parent else owner and owner.has_perm)
    with transaction.atomic():
        if parent:
            _hold(parent)
        return ApiToken.make(
            name=name, role=role, permissions=wanted, owner=owner, parent=parent,
            expires_at=_end(days, parent),
        )  # fmt: skip


def _hold(parent: ApiToken) -> None:
    """Whoever revokes it now waits, and finds the new one too."""
    live = ApiToken.objects.live().select_for_update(of=("self",))
    if live.filter(pk=parent.pk).first() is None:
        raise TokenRefused("The token that makes it was revoked just now", hint="Use another.")


def _demand_own(wanted: list[str], may: Callable[[str], bool] | None) -> None:
    """Without `may` there is a shell behind it, or BACKUP_API_TOKEN: those may everything."""
    for permission in wanted:
        if may and not may(permission):
            raise TokenRefused(
                f"You may not {roles.ABOUT[permission]}, so a token of yours may not either",
                hint="Choose a smaller role.",
            )


def _end(days: int | None, parent: ApiToken | None) -> datetime | None:
    if days is not None and not 1 <= days <= LONGEST:
        raise TokenRefused(f"A token lives 1 to {LONGEST} days", hint="Or leave the days away.")
    ends = [parent.expires_at if parent else None]
    ends.append(None if days is None else timezone.now() + timedelta(days=days))
    return min((end for end in ends if end), default=None)


def _permissions(role: str, permissions: list[str]) -> list[str]:
    if bool(role) == bool(permissions):
        raise TokenRefused("A token needs a role, or permissions", hint="Give one of the two.")
    if role:
        if role not in roles.NAMES:
            known = ", ".join(roles.NAMES)
            raise TokenRefused(f"There is no role {role!r}", hint=f"One of: {known}.")
        return list(roles.permissions_of(role))
    full = [f"backups_app.{name}" for name in permissions]
    if unknown := sorted(set(full) - set(roles.ABOUT)):
        known = ", ".join(name.partition(".")[2] for name in roles.ABOUT)
        raise TokenRefused(
            f"There is no permission {unknown[0].partition('.')[2]!r}", hint=f"One of: {known}."
        )
    return sorted(set(full))


def rights_of(token: ApiToken) -> dict[str, Any]:
    """What the audit log says of a new token."""
    return {
        "role": token.role,
        "permissions": [name.partition(".")[2] for name in token.permissions],
        "expires": token.expires_at and token.expires_at.isoformat(timespec="seconds"),
        "owner": token.owner.get_username() if token.owner else None,
    }
