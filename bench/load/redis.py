"""The API while Redis refuses connections, or takes them and says nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Literal
from urllib.parse import urlsplit

from bench.load.service import running
from bench.servers import Bucket
from launcher.valkey import start_valkey
from tarkeep_client import Tarkeep, TarkeepError

ROUNDS = 40
SETTLE = 5.0  # seconds for the parts to notice
Kind = Literal["refused", "silent"]


class Gate:
    """Leads to a Redis until it is shut: then it refuses, or takes connections in silence."""

    def __init__(self, upstream: int) -> None:
        self._upstream, self._shut = upstream, threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._lines: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self, kind: Kind) -> None:
        self._shut.set()
        if kind == "refused":
            self.close()

    def close(self) -> None:
        for line in (self._server, *self._lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._lines.append(client)
                if not self._shut.is_set():
                    self._join(client)

    def _join(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._upstream))
        self._lines.append(server)
        for pair in ((client, server), (server, client)):
            threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._shut.is_set():
                    return
                target.sendall(data)
            target.close()


def without_redis(kind: Kind, work: Path, data: Path, bucket: Bucket) -> dict[str, Any]:
    """95th percentile and maximum, in seconds, of all requests together and of each kind."""
    redis = start_valkey(work / "valkey")
    address = urlsplit(redis.url)
    with closing(Gate(redis.port)) as gate:
        url = f"redis://:{address.password}@127.0.0.1:{gate.port}/0"
        with running(work, data, bucket, REDIS_URL=url) as service, service.client() as tarkeep:
            gate.shut(kind)
            sleep(SETTLE)
            waits = {name: _times(ask) for name, ask in _requests(tarkeep).items()}
    redis.stop()
    every = [wait for some in waits.values() for wait in some]
    return {"all": _figures(every), **{name: _figures(some) for name, some in waits.items()}}


def _requests(tarkeep: Tarkeep) -> dict[str, Callable[[], object]]:
    return {
        "GET status": tarkeep.status,
        "GET jobs": lambda: list(tarkeep.jobs()),
        "GET list": tarkeep.backups,
        "POST trigger, cancel": lambda: tarkeep.cancel(tarkeep.back_up()),
    }


def _times(ask: Callable[[], object]) -> list[float]:
    """A refusal is an answer too; a run that went too fast to be cancelled, say."""
    waits = []
    for _ in range(ROUNDS):
        begun = monotonic()
        with suppress(TarkeepError):
            ask()
        waits.append(monotonic() - begun)
    return waits


def _figures(waits: list[float]) -> dict[str, float]:
    ordered = sorted(waits)
    p95 = ordered[int(0.95 * (len(ordered) - 1))]
    return {"p95": round(p95, 3), "max": round(ordered[-1], 3)}
