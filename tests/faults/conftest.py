"""The fixtures these tests share."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.bucket import Place
from tests.support.certificates import Authority
from tests.support.fault_proxy import FaultProxy
from tests.support.rclone import RcloneS3
from tests.support.service import service, service_on_s3
from worker.engine.config import PlanConfig, StorageConfig

__all__ = ["service", "service_on_s3"]


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    data.mkdir()
    (data / "media.bin").write_bytes(os.urandom(20 * 1024 * 1024))
    (data / "state.json").write_text('{"n": 1}' * 1000)
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", max_backups=1)


@pytest.fixture
def small(plan: PlanConfig) -> PlanConfig:
    """One part is enough for it."""
    (plan.data_dir / "media.bin").write_bytes(os.urandom(100_000))
    return plan


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    server = RcloneS3(tmp_path_factory.mktemp("rclone"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca") / "ca")


@pytest.fixture(params=["seaweedfs http", "seaweedfs https", "rclone http", "rclone https"])
def place(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Place]:
    """Both servers, in both ways."""
    server, scheme = request.param.split()
    if server == "rclone":
        config = request.getfixturevalue("rclone").new_bucket(uuid.uuid4().hex)
    else:
        config = request.getfixturevalue("storage_config")
    certificate = authority.certificate("place") if scheme == "https" else None
    proxy = FaultProxy(config.endpoint, certificate=certificate)
    trusted = authority.bundle if certificate else None
    yield Place(server, replace(config, endpoint=proxy.endpoint, ca_bundle=trusted), proxy)
    proxy.stop()


@pytest.fixture
def proxy(place: Place) -> FaultProxy:
    return place.proxy


@pytest.fixture
def config(place: Place) -> StorageConfig:
    return place.config
