"""Loopback ports: which are free, and which to take.

Ports come from below the range that systems give to outgoing connections (32768 and up on
Linux), so that a port written down today is most likely still free tomorrow. Between choosing
one and a server's listening on it seconds may pass, so a chosen port is claimed as well
(`launcher/claims.py`): of two launchers that start at once, none chooses what the other has.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

from launcher.claims import claim

LOOPBACK = "127.0.0.1"
_RANGE = range(12_000, 22_000)


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on the port now. Somebody else may still take it first."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def take(ports: Iterable[int]) -> bool:
    """Whether all of them are free, and ours from now on until this process ends."""
    return all(is_free(port) and claim(port) for port in ports)


def free_ports(count: int, *, offset: int = 0) -> list[int]:
    """`count` different free ports, each with the port `offset` above it free as well; ours
    until this process ends, which never gets the same ones again."""
    found: list[int] = []
    for port in random.sample(_RANGE, len(_RANGE)):
        if claim(port, anew=True) and take({port, port + offset}):
            found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free port on the loopback interface")
