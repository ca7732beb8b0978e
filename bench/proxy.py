"""A TCP relay before the S3 server that counts: bytes each way and HTTP requests.

Exact, and the same for every tool. It costs time, so timed runs go without it.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_CHUNK = 256 * 1024
_REQUEST = re.compile(rb"(GET|PUT|POST|HEAD|DELETE) \S+ HTTP/1\.1\r\n")


@dataclass
class Traffic:
    """`sent` and `received` as the tool sees it, headers included, in bytes."""

    sent: int = 0
    received: int = 0
    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, sent: int = 0, received: int = 0, requests: int = 0) -> None:
        with self._lock:
            self.sent += sent
            self.received += received
            self.requests += requests

    def forget(self) -> None:
        """Count from nothing."""
        with self._lock:
            self.sent = self.received = self.requests = 0


class CountingProxy:
    """Relays connections to `endpoint`; `self.endpoint` is where tools are to go."""

    def __init__(self, endpoint: str, host: str = "127.0.0.1") -> None:
        url = urlsplit(endpoint)
        self._target = (url.hostname or "", url.port or 80)
        self._listener = socket.create_server((host, 0), backlog=128)
        self.endpoint = f"http://{host}:{self._listener.getsockname()[1]}"
        self.traffic = Traffic()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # A thread blocked in accept() keeps the socket alive; this wakes it.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for end in (client, server):  # it counts, and delays nothing: as the tools send
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for run in (self._requests, self._answers):
                    threading.Thread(target=run, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        # No tool sends a request before the last one's answer came, so a request's first line
        # always begins a chunk.
        for chunk in _chunks(client, server):
            self.traffic.add(sent=len(chunk), requests=bool(_REQUEST.match(chunk)))
            server.sendall(chunk)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        for chunk in _chunks(server, client):
            self.traffic.add(received=len(chunk))
            client.sendall(chunk)


def _chunks(source: socket.socket, target: socket.socket) -> Iterator[memoryview]:
    """What comes from `source`; at its end `target` is told that no more comes."""
    buffer = memoryview(bytearray(_CHUNK))
    with contextlib.suppress(OSError):
        while size := source.recv_into(buffer):
            yield buffer[:size]
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def counting(endpoint: str, *, host: str = "127.0.0.1") -> Iterator[CountingProxy]:
    """`host`: the address of this machine that it listens on."""
    proxy = CountingProxy(endpoint, host)
    try:
        yield proxy
    finally:
        proxy.close()
