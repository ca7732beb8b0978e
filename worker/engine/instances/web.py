"""One HTTP request over TCP or a unix socket, with a limit on time and size.

No redirects, no proxies, no cookies. A socket's own timeout starts anew with every byte, so a
timer hangs up when the whole exchange has taken too long.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Event, Timer
from typing import Final
from urllib.parse import unquote, urlsplit

from worker.engine.addresses import Refused, demand_allowed
from worker.engine.errors import InstanceError

MAX_BODY: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection_to(address: str, *, timeout: float) -> HTTPConnection:
    """Not yet connected. `address`: http://host:port, https://host, unix:///path/of.sock."""
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return UnixConnection(unquote(parts.path), timeout=timeout)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout)


def call(
    method: str,
    address: str,
    target: str,
    *,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """Send one request for the path and query `target`; returns the answer, whatever its status.

    Raises `InstanceError` when none comes, or none within `timeout` seconds.
    """
    connection = connection_to(address, timeout=timeout)
    sent = body if method in {"POST", "PUT", "PATCH"} else None
    late = Event()
    try:
        with hung_up_after(connection, timeout, late):
            # Whoever refuses by the headers alone may hang up on the body; the answer says why.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, target, sent, {"Connection": "close", **(headers or {})})
            answer = connection.getresponse()
            whole = Answer(answer.status, dict(answer.getheaders()), answer.read(MAX_BODY))
        if late.is_set():  # an answer without a length ends where the line is cut
            raise TimeoutError
        return whole
    except (OSError, HTTPException, ValueError) as error:
        raise InstanceError(_why(error, late=late.is_set(), timeout=timeout)) from error


def call_url(
    method: str, url: str, *, timeout: float, headers: Mapping[str, str] | None = None
) -> Answer:
    """The same for a whole http(s) address."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    origin = f"{parts.scheme}://{parts.netloc}"
    return call(method, origin, target, timeout=timeout, headers=headers)


@contextmanager
def hung_up_after(connection: HTTPConnection, seconds: float, late: Event) -> Iterator[None]:
    """Connect, and cut the line when the block takes longer than `seconds`."""
    timer: Timer | None = None
    try:
        connection.connect()
        demand_allowed(connection.sock)
        timer = Timer(seconds, _hang_up, (connection.sock, late))
        timer.daemon = True
        timer.start()
        yield
    finally:
        if timer:
            timer.cancel()
        connection.close()


def _hang_up(line: socket.socket, late: Event) -> None:
    late.set()
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def _why(error: Exception, *, late: bool, timeout: float) -> str:
    """A sentence's end that repeats nothing of what the other side sent."""
    if late or isinstance(error, TimeoutError):
        return f"it did not answer within {timeout:g} seconds"
    if isinstance(error, OSError):
        why = str(error) if isinstance(error, Refused) else error.strerror
        return f"it cannot be reached: {why or type(error).__name__}"
    return f"it did not answer in HTTP: {type(error).__name__}"
