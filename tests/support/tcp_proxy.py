"""A TCP proxy whose connections can be frozen: nothing passes any more, and nobody is told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class TcpProxy:
    """Listens on the loopback address, or another; `port` leads to `upstream`: an address, or the
    path of a Unix socket."""

    def __init__(self, upstream: tuple[str, int] | str, address: str = "127.0.0.1") -> None:
        self._upstream = upstream
        self._server = socket.create_server((address, 0))
        self.port: int = self._server.getsockname()[1]
        self._frozen = threading.Event()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """Connections that there are become silent for ever; new ones work."""
        self._frozen.set()
        self._frozen = threading.Event()

    def stop(self) -> None:
        """New connections are refused: `shutdown` ends the `accept` that waits for one."""
        for one in (self._server, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            with suppress(OSError):
                one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = self._connect()
                self._sockets += [client, server]
                for pair in ((client, server), (server, client)):
                    copy = threading.Thread(target=self._copy, args=(*pair, self._frozen))
                    copy.daemon = True
                    copy.start()

    def _connect(self) -> socket.socket:
        if not isinstance(self._upstream, str):
            return socket.create_connection(self._upstream)
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._upstream)
        return server

    def _copy(self, source: socket.socket, target: socket.socket, frozen: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if frozen.is_set():
                    return  # swallowed; the connection stays open
                target.sendall(data)
            if not frozen.is_set():
                target.shutdown(socket.SHUT_WR)
