"""Servers that many tests share. Which PostgreSQL and Redis: `tests/support/servers.py`."""

from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, settings

from launcher.seaweed import RunningS3, start_seaweed
from tests.support.s3client import s3_client
from worker.engine.config import StorageConfig

pytest_plugins = ["tests.support.row_report"]

if os.environ.get("CI") != "true":  # where Hypothesis does so by itself: no test is about time
    settings.register_profile(
        "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
    )
    settings.load_profile("busy")


def pytest_report_header() -> list[str]:
    from tests import settings

    return [
        f"database: {settings.DATABASE_CHOICE.about}",
        f"redis: {settings.REDIS_CHOICE.about}",
        "s3: embedded SeaweedFS, started by the first test that needs it",
    ]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that are given more time than others come first: at the end the other processes would
    wait for them, a sixth of the whole."""
    items.sort(key=_time_allowed, reverse=True)


def _time_allowed(item: pytest.Item) -> float:
    """Seconds, 0 where it is what all have."""
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark and mark.args else 0.0


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: to look through it for garbage again and
    again took a fourteenth of all CPU."""
    gc.freeze()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningS3]:
    """One SeaweedFS for the whole run; use `storage_config` for a bucket of one's own."""
    server = start_seaweed(tmp_path_factory.mktemp("s3"), max_volumes=5000)
    yield server
    server.stop()


@pytest.fixture
def storage_config(s3_server: RunningS3) -> StorageConfig:
    """A fresh, empty bucket on a real server."""
    config = StorageConfig(
        bucket=f"test-{uuid.uuid4().hex[:20]}",
        access_key=s3_server.access_key,
        secret_key=s3_server.secret_key,
        endpoint=s3_server.endpoint,
    )
    s3_client(config).create_bucket(Bucket=config.bucket)
    return config


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis whose database belongs to this run alone."""
    from tests import settings

    return settings.REDIS_CHOICE.url


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The test database's URL, for subprocesses that run the real settings."""
    from tests import settings

    parts = urlsplit(settings.DATABASE_CHOICE.url)
    name = settings.TEST_DATABASE_NAME
    return parts._replace(path=f"/{name}").geturl()
