"""Row 3: a kill while short stretches are being joined through temporary objects."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.trees import describe
from worker.engine.backup import run_backup
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, ReuseConfig, StorageConfig
from worker.engine.janitor import tidy
from worker.engine.naming import temporary_of
from worker.engine.progress import Progress
from worker.engine.restore_to import run_restore_to
from worker.engine.storage.s3 import open_storage
from worker.engine.verify import run_verify

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
POINT = "backup.joined"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SLICE = 4 * MIB


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a-rests").write_bytes(os.urandom(8 * MIB))
    (data / "b-changes").write_bytes(os.urandom(5 * SLICE))
    reuse = ReuseConfig(settled=-(10**18))
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", reuse=reuse)


def change(plan: PlanConfig) -> None:
    """In two slices of five: what lies between them is shorter than a part."""
    for number in (1, 3):
        with (plan.data_dir / "b-changes").open("r+b") as file:
            file.seek(number * SLICE)
            file.write(os.urandom(100))


def test_stretches_between_changes_are_copied(
    plan: PlanConfig, storage_config: StorageConfig, tmp_path: Path
) -> None:
    storage = open_storage(storage_config)
    first = run_backup(plan, storage, Progress(), now=NOW)
    change(plan)
    second = run_backup(plan, storage, Progress(), now=NOW + timedelta(days=1))
    assert second.bytes_sent < 2 * SLICE + MIB
    assert first.size < second.bytes_copied + 2 * SLICE + MIB
    assert [key for key in keys(plan, storage_config) if temporary_of(plan, key)] == []
    run_verify(plan, storage, Progress(), key=second.key)
    run_restore_to(plan, storage, Progress(), key=second.key, target=tmp_path / "out")
    assert describe(tmp_path / "out") == describe(plan.data_dir)


@pytest.mark.row(3)
@pytest.mark.invariant("I2", "I6", "I7")
@pytest.mark.parametrize("point", [POINT, f"{POINT}:2"])
def test_row_3_a_kill_between_joins_leaves_what_the_janitor_clears_away(
    plan: PlanConfig, storage_config: StorageConfig, point: str
) -> None:
    storage = open_storage(storage_config)
    first = run_backup(plan, storage, Progress(), now=NOW)
    change(plan)
    die(plan, storage_config, point)
    left = [key for key in keys(plan, storage_config) if temporary_of(plan, key)]
    assert len(left) in (1, 2)
    assert [one.key for one in list_backups(storage, plan)] == [first.key]

    second = run_backup(plan, storage, Progress(), now=NOW + timedelta(days=1))
    run_verify(plan, storage, Progress(), key=second.key)
    now = datetime.now(UTC)
    assert set(tidy(storage, plan, now=now).deleted).isdisjoint(left)
    assert set(left) <= set(tidy(storage, plan, now=now + timedelta(days=2)).deleted)
    assert [key for key in keys(plan, storage_config) if temporary_of(plan, key)] == []


def keys(plan: PlanConfig, config: StorageConfig) -> list[str]:
    return sorted(found.key for found in open_storage(config).list(plan.prefix))


def die(plan: PlanConfig, config: StorageConfig, point: str) -> None:
    """A backup in a process of its own, killed at the point."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(plan.data_dir), str(plan.temp_dir)],
        env={
            **os.environ,
            "TARKEEP_CRASH_AT": point,
            "BACKUP_S3_BUCKET": config.bucket,
            "BACKUP_S3_ENDPOINT": config.endpoint,
            "BACKUP_S3_ACCESS_KEY": config.access_key,
            "BACKUP_S3_SECRET_KEY": config.secret_key,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr


RUN = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig, ReuseConfig
from worker.engine.progress import Progress
from worker.engine.settings import read_settings
from worker.engine.storage.s3 import open_storage
data, temp = map(Path, sys.argv[1:])
plan = PlanConfig(data_dir=data, temp_dir=temp, reuse=ReuseConfig(settled=-(10**18)))
storage = open_storage(read_settings().storage)
run_backup(plan, storage, Progress(), now=datetime(2026, 1, 1, 12, tzinfo=UTC))
"""
