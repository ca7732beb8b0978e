"""Which servers the user has, and the embedded ones for those they have not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis

from launcher.bucket_env import write_bucket_env
from launcher.errors import LaunchError
from launcher.private import write_state
from launcher.seaweed import RunningS3, start_seaweed
from launcher.server import ServerProcess
from launcher.valkey import start_valkey
from worker.engine import lent
from worker.engine.environment import Environment
from worker.engine.settings import EMBEDDED_S3, REDIS_URL
from worker.engine.storage.variables import ACCESS_KEY, BUCKET, ENDPOINT, SECRET_KEY


@dataclass
class Servers:
    """The embedded servers that run, and the variables that point the service at them."""

    processes: list[ServerProcess] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict, repr=False)
    s3: RunningS3 | None = None

    def stop(self) -> None:
        for process in self.processes:
            process.stop()


def needs_redis(home: Path) -> bool:
    return not Environment.of_process(home).is_set(REDIS_URL)


def needs_s3(home: Path) -> bool:
    """True when nothing at all is said about a bucket: half a configuration is a mistake to show.

    An embedded bucket in its place would hide it, and leave the backups on this machine.
    A shell that has read `bucket.env` is told about a bucket, but about our own.
    """
    given = Environment.of_process(home)
    return given.get(EMBEDDED_S3) or not any(
        given.is_set(name) for name in (BUCKET, ENDPOINT, ACCESS_KEY, SECRET_KEY)
    )


def start_missing(servers: Servers, *, home: Path, logs: Path) -> None:
    """Start what the user has not configured. What runs already is in `servers` if one fails."""
    var = home / "var"
    if needs_redis(home):
        valkey = start_valkey(var / "valkey", log=logs / "valkey.log")
        servers.processes.append(valkey.process)
        servers.env |= _both("REDIS_URL", valkey.url)
    if needs_s3(home):
        servers.s3 = start_seaweed(var / "s3", log=logs / "s3.log")
        servers.processes.append(servers.s3.process)
        servers.env |= _s3_variables(servers.s3)
        write_bucket_env(var, servers.s3)


def lend(servers: Servers, home: Path) -> None:
    """So that commands typed beside us reach what we have started."""
    write_state(home / lent.FILE, servers.env)


def take_back(home: Path) -> None:
    (home / lent.FILE).unlink(missing_ok=True)


def _s3_variables(server: RunningS3) -> Mapping[str, str]:
    return {
        "BACKUP_S3_BUCKET": server.bucket,
        "BACKUP_S3_ENDPOINT": server.endpoint,
        "TARKEEP_EMBEDDED_S3": "true",
        **_both("BACKUP_S3_ACCESS_KEY", server.access_key),
        **_both("BACKUP_S3_SECRET_KEY", server.secret_key),
    }


def _both(name: str, value: str) -> dict[str, str]:
    """The variable, and nothing for its `_FILE` twin: an empty one in `.env` must not count."""
    return {name: value, f"{name}_FILE": ""}


def check_redis(url: str, *, limit: float = 15) -> None:
    """Wait for the user's own Redis; it may be starting at the same time as we are."""
    deadline = time.monotonic() + limit
    with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
        while reason := _refusal(client):
            if time.monotonic() > deadline:
                raise LaunchError(f"the Redis of REDIS_URL cannot be used: {reason}")
            time.sleep(0.5)


def _refusal(client: redis.Redis) -> str:
    try:
        client.ping()
    except redis.exceptions.RedisError as error:
        return type(error).__name__
    return ""
