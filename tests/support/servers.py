"""The servers tests talk to: the machine's own where they are there, else embedded ones.

Each choice comes with a sentence for the pytest header, so that a log says what was tested.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis

from launcher.valkey import start_valkey

LOCAL_POSTGRES = (
    "postgresql://%2Fvar%2Frun%2Fpostgresql/postgres",
    "postgresql://postgres@127.0.0.1:5432/postgres",
)
LOCAL_REDIS = "redis://127.0.0.1:6379"
CLAIM = "tarkeep-tests:claimed-by"
LONGEST_RUN = 6 * 3600  # seconds, on a machine that has much else to do


class MissingServer(Exception):
    """A server that this run must have did not answer."""


@dataclass(frozen=True)
class Choice:
    url: str = field(repr=False)
    about: str


def choose_database(scratch: Path) -> Choice:
    """TEST_DATABASE_URL, else a local PostgreSQL, else SQLite; with CI=true PostgreSQL only.

    `MissingServer` when a server that was asked for, or that CI needs, does not answer.
    """
    wanted = os.environ.get("TEST_DATABASE_URL", "")
    if wanted.startswith("sqlite"):
        return _not_in_ci(Choice(wanted, "SQLite, as TEST_DATABASE_URL says"))
    for url in (wanted,) if wanted else LOCAL_POSTGRES:
        if version := _postgres_version(url):
            return Choice(url, f"PostgreSQL {version}")
    if wanted:
        raise MissingServer("TEST_DATABASE_URL is set, but no PostgreSQL answers there")
    return _not_in_ci(Choice(f"sqlite:///{scratch}/tests.sqlite3", "SQLite (no PostgreSQL here)"))


def choose_redis(scratch: Path) -> Choice:
    """TEST_REDIS_URL, else an unused database of the Redis here, else an embedded Valkey."""
    wanted = os.environ.get("TEST_REDIS_URL", "")
    if wanted and not _redis_answers(wanted):
        raise MissingServer("TEST_REDIS_URL is set, but no Redis answers there")
    if wanted:
        return Choice(wanted, "Redis of TEST_REDIS_URL")
    for number in range(15, 0, -1):
        url = f"{LOCAL_REDIS}/{number}"
        if _redis_answers(LOCAL_REDIS) and _claim(url):
            return Choice(url, f"Redis of this machine, database {number}")
    server = start_valkey(scratch / "valkey")
    atexit.register(server.stop)
    return Choice(server.url, "embedded Valkey")


def scratch_directory() -> Path:
    """A temporary folder for the whole run, removed when Python ends."""
    path = Path(tempfile.mkdtemp(prefix="tarkeep-tests-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _not_in_ci(choice: Choice) -> Choice:
    if os.environ.get("CI") == "true":
        raise MissingServer("CI must test against PostgreSQL, and none answers")
    return choice


def _postgres_version(url: str) -> str:
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            return str(connection.info.server_version // 10_000)
    except psycopg.Error:
        return ""


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)


def _redis_answers(url: str) -> bool:
    try:
        with _client(url) as client:
            return bool(client.ping())
    except redis.exceptions.RedisError:
        return False


def _claim(url: str) -> bool:
    """Take an empty database for this run, so that two runs never share a queue."""
    with _client(url) as client:
        if client.dbsize() or not client.set(CLAIM, os.getpid(), nx=True, ex=LONGEST_RUN):
            return False
    atexit.register(_release, url)
    return True


def _release(url: str) -> None:
    with _client(url) as client:
        client.flushdb()
