"""Where a notification may connect to. Installed in the process that sends, and there for good.

Looked at is the address that is being connected to, not the name: so a name that resolves to
another address the second time, a redirect, or a library with sockets of its own gets no further.
"""

from __future__ import annotations

import sys
from ipaddress import ip_address
from typing import Any

from worker.engine.addresses import Refused, address_of, is_forbidden, is_near


def allowed(host: str, *, private: bool) -> bool:
    """Whether that IP address may be connected to. A name is not an address: False."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    address = address_of(host)
    if address is None or is_forbidden(address) or address.is_unspecified:
        return False
    return address.is_global or (private and is_near(address))


def install(*, private: bool) -> None:
    """Refuse all other connections of this process from now on, raising `Refused`."""

    def look(event: str, args: tuple[Any, ...]) -> None:
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            _look(args[1], private=private)

    sys.addaudithook(look)


def _look(address: Any, *, private: bool) -> None:
    host = address[0] if isinstance(address, tuple) else ""
    if not allowed(str(host), private=private):
        raise Refused("The address is private or reserved")
