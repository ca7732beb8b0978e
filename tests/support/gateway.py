"""A small gateway: an application that starts and stops its own instances over HTTP.

`python -m tests.support.gateway PORT TOKEN FOLDER NAME...` is a real process whose instances
are writer processes. POST /instances/NAME/stop and /start, GET /instances/NAME/status, which
answers {"running": true}. The same faults by files as in `appctl`, and `redirect`.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support import writer


class Gateway:
    """The instances and what was asked of them."""

    def __init__(self, token: str, folder: Path, names: list[str]) -> None:
        self.token, self.folder, self.names = token, folder, names
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.lock = threading.Lock()

    def do(self, verb: str, name: str) -> tuple[int, dict[str, object]]:
        if name not in self.names:
            return 404, {"error": "no such instance"}
        if spoilt := self.spoil(verb, name):
            return spoilt, {"error": "not today"}
        with self.lock:
            if verb == "start":
                self.start(name)
            elif verb == "stop":
                self.stop(name)
        return 200, {"name": name, "running": writer.alive(self.folder, name)}

    def spoil(self, verb: str, name: str) -> int:
        fault = self.folder / f"fault-{verb}-{name}"
        kind = fault.read_text() if fault.exists() else ""
        while kind == "hang":
            time.sleep(0.1)
        if kind == "once":
            fault.unlink()
        return {"fail": 500, "once": 500, "redirect": 302}.get(kind, 0)

    def start(self, name: str) -> None:
        if writer.alive(self.folder, name):
            return
        argv = [sys.executable, writer.__file__, str(self.folder), name]
        self.processes[name] = subprocess.Popen(argv)
        while not writer.alive(self.folder, name):
            time.sleep(0.01)

    def stop(self, name: str) -> None:
        if process := self.processes.pop(name, None):
            process.terminate()
            process.wait()


def handler(gateway: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({"status"})

        def do_POST(self) -> None:
            self.answer({"start", "stop"})

        def answer(self, verbs: set[str]) -> None:
            _, _, name, verb = (*self.path.split("/"), "", "", "")[:4]
            if self.headers.get("Authorization") != f"Bearer {gateway.token}":
                status, told = 401, {"error": "who are you?"}
            elif verb not in verbs:
                status, told = 405, {"error": "not like this"}
            else:
                status, told = gateway.do(verb, name)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/instances/one/status")
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, format: str, *args: object) -> None:
            print(self.command, self.path, *args[1:], flush=True)

    return Handler


def main(port: int, token: str, folder: Path, names: list[str]) -> None:
    gateway = Gateway(token, folder, names)
    server = ThreadingHTTPServer(("127.0.0.1", port), handler(gateway))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.serve_forever()
    finally:
        for name in names:
            gateway.stop(name)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
