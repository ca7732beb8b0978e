"""An HTTP proxy before a real S3 server that spoils chosen requests in chosen ways.

The host header passes unchanged, so signatures stay valid. Each fault hits the first requests
that match it and is then used up; `seen` lists what went through.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Request:
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Fault:
    """What to do with `times` requests of this method whose path and query hold `part`.

    `request` may change what is forwarded, or answer it; `instead` answers without forwarding;
    `answer` may change what comes back; `cut` sends only so many bytes of the answer's body and
    hangs up (-1: not even a header). `reset` takes only so many bytes of the request's body and
    breaks the connection; `hang` never answers, as long as the proxy runs; `drip` gives the
    answer's body byte by byte, with so many seconds between; `trickle` answers with a header that
    never ends, byte by byte. `every`: hits each n-th that matches only.
    """

    method: str
    part: str = ""
    times: int = 1
    request: Callable[[Request], Request | Answer] | None = None
    instead: Answer | None = None
    answer: Callable[[Answer], Answer] | None = None
    cut: int | None = None
    reset: int | None = None
    hang: bool = False
    drip: float = 0.0
    trickle: float = 0.0
    every: int = 1
    met: int = 0


@dataclass
class FaultProxy:
    """`certificate`: the PEM file of a key and its certificate, to speak TLS."""

    upstream: str
    certificate: Path | None = None
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._over = threading.Event()
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        # A client that hangs up is daily bread here, not something to print a trace of.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def fault_for(self, request: Request) -> Fault:
        with self._lock:
            self.seen.append(f"{request.method} {request.path}")
            for fault in self.faults:
                if fault.times and fault.method == request.method and fault.part in request.path:
                    fault.met += 1
                    if fault.met % fault.every == 0:
                        fault.times -= 1
                        return fault
        return Fault(request.method)

    def forward(self, request: Request) -> Answer:
        connection = HTTPConnection(urlsplit(self.upstream).netloc, timeout=30)
        try:
            connection.putrequest(
                request.method, request.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers:
                connection.putheader(name, value)
            connection.endheaders(request.body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = [(n, v) for n, v in self.headers.items() if n.lower() != "expect"]
                request = Request(self.command, self.path, headers, b"")
                fault = proxy.fault_for(request)
                if fault.reset is not None:
                    self.rfile.read(min(length, fault.reset))
                    self.reset()
                    return
                request.body = self.chunks() if self.is_chunked() else self.rfile.read(length)
                if fault.hang:
                    proxy._over.wait()
                    self.close_connection = True
                    return
                if fault.trickle:
                    self.trickle(fault.trickle)
                    return
                given = fault.request(request) if fault.request else request
                own = given if isinstance(given, Answer) else None
                request = given if isinstance(given, Request) else request
                answer = fault.instead or own or proxy.forward(request)
                answer = fault.answer(answer) if fault.answer else answer
                self.give(answer, fault.cut, fault.drip)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

            def is_chunked(self) -> bool:
                return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

            def chunks(self) -> bytes:
                """A body without a length as it came, with its framing."""
                raw = b""
                while True:
                    line = self.rfile.readline()
                    size = int(line.split(b";")[0], 16)
                    raw += line + self.rfile.read(size + 2)
                    if size == 0:
                        return raw

            def trickle(self, pause: float) -> None:
                self.close_connection = True
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not proxy._over.wait(pause):
                    self.wfile.write(b"x")
                    self.wfile.flush()

            def reset(self) -> None:
                """Hang up so that the other side sees a broken connection, not an end."""
                now = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                self.close_connection = True
                self.connection.close()

            def give(self, answer: Answer, cut: int | None, drip: float) -> None:
                if cut is not None:
                    self.close_connection = True
                if cut == -1:
                    return
                self.send_response_only(answer.status)
                names = {name.lower() for name, _ in answer.headers}
                for name, value in answer.headers:
                    if name.lower() not in {"connection", "transfer-encoding"}:
                        self.send_header(name, value)
                if "content-length" not in names:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                body = answer.body[:cut] if cut is not None else answer.body
                for piece in (body[n : n + 1] for n in range(len(body))) if drip else (body,):
                    self.wfile.write(piece)
                    if drip and proxy._over.wait(drip):
                        return

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: `seen` tells it."""

        return Handler
