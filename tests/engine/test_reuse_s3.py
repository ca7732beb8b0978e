"""The same on real servers, with segments and parts of real size."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.engine.trees import describe
from tests.support.rclone import RcloneS3
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig, ReuseConfig, StorageConfig
from worker.engine.restore_to import run_restore_to
from worker.engine.storage.s3 import open_storage

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# The files were written just now, and every change leaves another size.
AT_ONCE = ReuseConfig(settled=-(10**18))


@pytest.fixture(params=[None, "correct horse battery staple, and then some"])
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    (data / "media").mkdir(parents=True)
    for number in range(6):
        (data / "media" / f"{number}.jpg").write_bytes(os.urandom(5_000_000))
    for number in range(300):
        (data / f"key-{number}.json").write_text(f'{{"key": {number}}}')
    return PlanConfig(
        data_dir=data, temp_dir=tmp_path / "temp", encryption_key=request.param, reuse=AT_ONCE
    )


def test_with_little_changed_little_is_sent_and_each_backup_stands_alone(
    plan: PlanConfig, storage_config: StorageConfig, tmp_path: Path
) -> None:
    storage = open_storage(storage_config)
    first = run_backup(plan, storage, Heard(), now=NOW)
    second = run_backup(plan, storage, Heard(), now=NOW + timedelta(days=1))
    assert second.bytes_sent < 1_000_000
    assert second.bytes_copied > 29_000_000
    (plan.data_dir / "key-7.json").write_text("changed, and longer than before")
    third = run_backup(plan, storage, Heard(), now=NOW + timedelta(days=2))
    assert third.bytes_sent < 1_000_000
    for key in [found.key for found in storage.list("backups/")]:
        if key.startswith((first.key, second.key)):
            storage.delete(key)
    run_restore_to(plan, storage, Heard(), key=third.key, target=tmp_path / "out")
    assert describe(tmp_path / "out") == describe(plan.data_dir)
    if not plan.encryption_key:
        archive = b"".join(storage.get(third.key))
        (tmp_path / "untarred").mkdir()
        subprocess.run(["tar", "xzf", "-", "-C", tmp_path / "untarred"], input=archive, check=True)
        assert describe(tmp_path / "untarred" / "data") == describe(plan.data_dir)


def test_a_server_without_range_copies_gets_everything_sent(
    plan: PlanConfig, tmp_path: Path
) -> None:
    plan, heard = dataclasses.replace(plan, encryption_key=None), Heard()
    server = RcloneS3(tmp_path / "rclone")
    try:
        storage = open_storage(server.new_bucket("copies"))
        run_backup(plan, storage, Heard(), now=NOW)
        second = run_backup(plan, storage, heard, now=NOW + timedelta(days=1))
        assert heard.codes == []  # it is found out before anything is sent
        assert second.metadata.full_reason == "COPY_REFUSED"
        assert second.bytes_copied == 0
        run_restore_to(plan, storage, Heard(), key=second.key, target=tmp_path / "out")
    finally:
        server.stop()
    assert describe(tmp_path / "out") == describe(plan.data_dir)
