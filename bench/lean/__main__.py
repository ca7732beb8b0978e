"""`python -m bench.lean FOLDER`: serves on a free port of loopback and prints its address."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from pathlib import Path

from bench.lean.body import Stream
from bench.lean.http import read_request, send
from bench.lean.store import Store


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(store, connection), daemon=True).start()


def _serve(store: Store, connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, contextlib.suppress(ConnectionError):
        stream = Stream(connection)
        while request := read_request(stream):
            if request.headers.get("expect", "").lower() == "100-continue":
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            send(connection, request, store.answer(request, stream))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
