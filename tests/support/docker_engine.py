"""A stand-in for Docker's engine. IT IS NOT DOCKER, and no test here has met a real engine.

There is none where these tests run. This server answers the calls that Tarkeep makes as the
reference of the Docker Engine API says; what that is stands in `docker_contract.py`, and a call
or an answer that is not in it fails the test. It listens on a unix socket and lives in the test's
own process.
"""

from __future__ import annotations

import json
import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support import docker_contract

VERSION = "1.44"


@dataclass
class Container:
    name: str
    created: int
    labels: dict[str, str] = field(default_factory=dict)
    status: str = "running"
    health: str = ""
    id: str = ""

    def listed(self) -> dict[str, Any]:
        names = [f"/linked/{self.name}", f"/{self.name}"]
        known = {"Id": self.id, "Names": names, "Created": self.created, "Labels": self.labels}
        return known | {"State": self.status, "Status": "Up 2 hours"}

    def inspected(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "Status": self.status,
            "Running": self.status in {"running", "paused"},
            "Paused": self.status == "paused",
        }
        if self.health:
            state["Health"] = {"Status": self.health}
        return {"Id": self.id, "Name": f"/{self.name}", "State": state}


class Engine:
    """Its containers, the calls it got, and faults: (verb, name) to a status or `hang`."""

    def __init__(self, socket: Path, containers: list[Container]) -> None:
        self.socket = socket
        self.containers = {one.name: one for one in containers}
        for number, one in enumerate(containers):
            one.id = one.id or f"{number:064x}"
        self.faults: dict[tuple[str, str], int | str] = {}
        self.calls: list[str] = []
        self._over = threading.Event()
        self._server = _Server(str(socket), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        parts = urlsplit(path)
        if parts.path == "/_ping":
            return 200, "OK"
        self.calls.append(f"{method} {path}")
        _, version, kind, *rest = parts.path.split("/")
        if version != f"v{VERSION}":
            return 400, {"message": f"client version {version} is not supported"}
        if (method, kind, rest) == ("GET", "containers", ["json"]):
            return 200, self._list(parse_qs(parts.query))
        name, verb = rest
        if name not in self.containers:
            return 404, {"message": f"No such container: {name}"}
        if method == "GET" and verb == "json":
            return 200, self.containers[name].inspected()
        return self._change(self.containers[name], verb, parse_qs(parts.query))

    def checked(self, method: str, path: str) -> tuple[int, Any]:
        """The answer, and whether it and the call are as the reference has them: else 599, which
        no driver takes. What a test has spoilt on purpose need not be."""
        verb = urlsplit(path).path.rpartition("/")[2]
        if verb == "_ping":
            return self.answer(method, path)
        try:
            docker_contract.check_call(method, path)
            status, told = self.answer(method, path)
            if not any(verb == spoilt for spoilt, _ in self.faults):
                docker_contract.check_answer(path, status, told)
        except (AssertionError, KeyError) as error:
            return 599, {"message": f"not in Docker's reference: {path} {error!r}"}
        return status, told

    def _list(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        filters = json.loads(query["filters"][0])
        found = [one for one in self.containers.values() if one.status in filters["status"]]
        wanted = [label.partition("=")[::2] for label in filters["label"]]
        return [
            one.listed()
            for one in found
            if all(name in one.labels and one.labels[name] == value for name, value in wanted)
        ]

    def _change(
        self, one: Container, verb: str, query: dict[str, list[str]]
    ) -> tuple[int, dict[str, str]]:
        fault = self.faults.get((verb, one.name))
        if fault == "hang":
            self._over.wait(60)
        if isinstance(fault, int):
            return fault, {"message": f"cannot {verb} container: {one.name}: it is stuck"}
        if verb in {"pause", "unpause"}:
            return self._freeze(one, verb)
        if verb == "start" and one.status == "paused":
            return 409, {"message": "cannot start a paused container, try unpause instead"}
        after = {"stop": "exited", "start": "running"}[verb]
        if verb == "stop":
            assert int(query["t"][0]) > 0
        before, one.status = one.status, after
        return (304 if before == after else 204), {}

    def _freeze(self, one: Container, verb: str) -> tuple[int, dict[str, str]]:
        needed, after = {"pause": ("running", "paused"), "unpause": ("paused", "running")}[verb]
        if one.status != needed:
            return 409, {"message": f"Container {one.id} is not {needed}"}
        one.status = after
        return 204, {}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nothing to print a trace of."""


def _handler(engine: Engine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            status, told = engine.checked(self.command, self.path)
            body = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Api-Version", VERSION)
            if status not in {204, 304}:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status not in {204, 304}:
                self.wfile.write(body)

        do_GET = do_POST = handle_any

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: a unix socket's client has no address to log."""

    return Handler
