"""Loopback ports: which are free, and which to take.

Ports come from below the range that systems give to outgoing connections (32768 and up on
Linux), so that a port written down today is most likely still free tomorrow.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

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


def all_free(ports: Iterable[int]) -> bool:
    return all(is_free(port) for port in ports)


def free_ports(count: int, *, offset: int = 0) -> list[int]:
    """`count` different free ports, each with the port `offset` above it free as well."""
    found: list[int] = []
    for port in random.sample(_RANGE, len(_RANGE)):
        if all_free({port, port + offset}):
            found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free port on the loopback interface")
