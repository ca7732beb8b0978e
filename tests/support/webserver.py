"""The real ASGI application under the real server, in a thread, on a port of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn


@pytest.fixture
def web(transactional_db: None) -> Iterator[str]:
    """`host:port` of the running web part; it sees the test's settings and database."""
    from backup_project.asgi import application

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application,
        log_config=None,
        lifespan="off",
        ws="websockets-sansio",
        proxy_headers=False,
        ws_max_size=8192,
    )
    server = uvicorn.Server(config)
    run: Any = server.run
    thread = threading.Thread(target=run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()
