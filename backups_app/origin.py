"""Which WebSocket handshakes are let in: a browser must come from one of our own pages.

A browser sends our session cookie with a handshake that any page begins, and always says which
page that was. Without an Origin header it is no browser, and no page of somebody else's.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain


class SameOrigin:
    """ASGI middleware for the scope `websocket`; answers 403 to strangers."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        application: Any = self.inner if lets_in(scope) else WebsocketDenier()
        return await application(scope, receive, send)


def lets_in(scope: dict[str, Any]) -> bool:
    """Said twice it is a trick: who reads the first and who reads the last see two pages."""
    hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
    return len(hosts) == 1 and len(origins) <= 1 and is_allowed(hosts[0], *origins)


def is_allowed(host: str, origin: str = "") -> bool:
    """Whether `origin` is a page of `host`, which must be one of ours, or a trusted origin."""
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    if not origin:
        return True
    return urlsplit(origin).netloc == host or any(
        _matches(origin, trusted) for trusted in settings.CSRF_TRUSTED_ORIGINS
    )


def _matches(origin: str, trusted: str) -> bool:
    """`https://*.example.com` trusts each name below, as in Django's CSRF check."""
    ours, theirs = urlsplit(trusted), urlsplit(origin)
    pattern = ours.netloc.removeprefix("*")
    return ours.scheme == theirs.scheme and is_same_domain(theirs.netloc, pattern)


def _headers(scope: dict[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
