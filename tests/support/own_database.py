"""Databases made for one test, of both kinds, and programs that use them."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.support.servers import LOCAL_POSTGRES, _postgres_version

ENV = {**os.environ, "DJANGO_SETTINGS_MODULE": "backup_project.settings"}


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database of that kind, made for this test."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/race.sqlite3"
        return
    server = next((url for url in LOCAL_POSTGRES if _postgres_version(url)), None)
    if server is None:
        assert not os.environ.get("CI"), "CI has a PostgreSQL"
        pytest.skip("no PostgreSQL answers on this machine")
    name = f"race_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def django(code: str, database: str) -> str:
    """What the code prints in a process of its own that uses this database."""
    run = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
    env = {**ENV, "DATABASE_URL": database}
    return subprocess.run(run, env=env, check=True, capture_output=True, text=True).stdout
