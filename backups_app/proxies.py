"""What a reverse proxy says about whom it speaks for, where TARKEEP_TRUSTED_PROXIES names it.

Anybody can send these headers, so from others they count for nothing. `X-Forwarded-For` is read
from its end, where the nearest proxy writes: the first address that is no trusted proxy is the
client's, and what stands before it is hearsay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final

from django.core.cache import cache
from django.db import Error
from django.http import HttpRequest, HttpResponseBase

from backups_app.models import UnnamedProxy

Networks = Sequence[IPv4Network | IPv6Network]
UNNAMED: Final = "tarkeep.unnamed_proxy"
NOTE_EVERY: Final = 60  # seconds, in each process
SECURE: Final = {"http": "https", "https": "https", "ws": "wss", "wss": "wss"}


class TrustedProxies:
    """ASGI middleware: puts the client's address and the scheme it used into the scope."""

    def __init__(self, inner: Any, networks: Networks) -> None:
        self.inner, self.networks = inner, networks

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        peer = (scope.get("client") or ("", 0))[0]
        if self.networks and is_trusted(peer, self.networks):
            scope = {**scope, **told(scope, peer, self.networks)}
        elif any(name == b"x-forwarded-for" for name, _ in scope.get("headers", ())):
            scope = {**scope, UNNAMED: peer}
        await self.inner(scope, receive, send)


class NoteUnnamed:
    """Django middleware: writes down which near address speaks for others without being trusted.

    Through such a proxy all people look like one, to the limits and in the audit log.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        peer = getattr(request, "scope", {}).get(UNNAMED, "")
        if is_near(peer) and cache.add(f"unnamed-{peer}", 1, NOTE_EVERY):
            with suppress(Error):
                UnnamedProxy.objects.note(peer)
        return self.get_response(request)


def told(scope: dict[str, Any], peer: str, networks: Networks) -> dict[str, Any]:
    """`client` and `scheme` as the trusted proxy `peer` tells them."""
    values = [v.decode("latin-1") for k, v in scope["headers"] if k == b"x-forwarded-proto"]
    scheme = scope.get("scheme", "http")
    # Several: more than one proxy wrote, and one of them may be the client.
    if [value.strip().lower() for value in values] == ["https"]:
        scheme = SECURE.get(scheme, scheme)
    hops = b",".join(v for k, v in scope["headers"] if k == b"x-forwarded-for")
    return {"client": (client(hops.decode("latin-1"), peer, networks), 0), "scheme": scheme}


def client(hops: str, peer: str, networks: Networks) -> str:
    """The last address of `hops` that is no trusted proxy; `peer` where there is none."""
    found = peer
    for hop in reversed([part.strip() for part in hops.split(",") if part.strip()]):
        try:
            found = str(ip_address(hop))
        except ValueError:  # not an address: nothing before it can be believed
            return found
        if not is_trusted(found, networks):
            return found
    return found


def is_near(address: str) -> bool:
    """On this machine or in its own network, where proxies are; strangers may send any header."""
    try:
        return not ip_address(address).is_global
    except ValueError:
        return False


def is_trusted(address: str, networks: Networks) -> bool:
    try:
        known = ip_address(address)
    except ValueError:  # a socket's path, or a test's name
        return False
    return any(known in network for network in networks)
