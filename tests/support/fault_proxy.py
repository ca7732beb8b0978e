"""An HTTP proxy before a real S3 server that spoils chosen requests in chosen ways.

The host header passes unchanged, so signatures stay valid. Each fault hits the first requests
that match it and is then used up; `seen` lists what went through.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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

    `request` may change what is forwarded; `instead` answers without forwarding; `answer` may
    change what comes back; `cut` sends only so many bytes of the answer's body and hangs up
    (-1: not even a header).
    """

    method: str
    part: str = ""
    times: int = 1
    request: Callable[[Request], Request] | None = None
    instead: Answer | None = None
    answer: Callable[[Answer], Answer] | None = None
    cut: int | None = None


@dataclass
class FaultProxy:
    upstream: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        # A client that hangs up is daily bread here, not something to print a trace of.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fault_for(self, request: Request) -> Fault:
        with self._lock:
            self.seen.append(f"{request.method} {request.path}")
            for fault in self.faults:
                if fault.times and fault.method == request.method and fault.part in request.path:
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
                request = Request(self.command, self.path, headers, self.rfile.read(length))
                fault = proxy.fault_for(request)
                if fault.request:
                    request = fault.request(request)
                answer = fault.instead or proxy.forward(request)
                self.give(fault.answer(answer) if fault.answer else answer, fault.cut)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

            def give(self, answer: Answer, cut: int | None) -> None:
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
                self.wfile.write(answer.body[:cut] if cut is not None else answer.body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: `seen` tells it."""

        return Handler
