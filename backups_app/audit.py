"""Write the audit log: from requests, and from the command line."""

from __future__ import annotations

import getpass
import logging
from typing import Any

from django.http import HttpRequest

from backups_app.models import AuditEntry

log = logging.getLogger(__name__)
FITS = 1000  # characters of what a request names; longer is no name of ours


def record(
    action: str, *, actor: str, how: str, address: str = "", target: str = "",
    outcome: str = "done", **details: Any,
) -> AuditEntry:  # fmt: skip
    """Append one entry, and tell the log of it: its hash there is a witness outside the database.

    `how` is session, token, login or command line; `details` hold plain JSON and no secrets.
    """
    entry = AuditEntry.append(
        actor=_clean(actor, 200), how=how, address=address[:50], action=action,
        target=_clean(target, FITS), outcome=outcome, details=details,
    )  # fmt: skip
    log.info(
        "audit %d: %s %s by %s from %s: %s, hash %s",
        entry.number, action, entry.target, entry.actor, address or "-", outcome, entry.hash,
    )  # fmt: skip
    return entry


def record_command(action: str, *, target: str = "", **details: Any) -> AuditEntry:
    """What somebody with a shell on this machine did."""
    try:
        actor = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        actor = "unknown"
    return record(action, actor=actor, how="command line", target=target, **details)


def record_login(request: HttpRequest, name: str, *, outcome: str) -> None:
    record("login", actor=name, how="login", address=address_of(request), outcome=outcome)


def address_of(request: HttpRequest) -> str:
    """Whom the request comes from; `proxies.TrustedProxies` has seen to what a proxy tells."""
    return str(request.META.get("REMOTE_ADDR") or "")


def _clean(text: str, most: int) -> str:
    """One line, without what PostgreSQL cannot keep."""
    return "".join(c if c.isprintable() else "?" for c in text)[:most]
