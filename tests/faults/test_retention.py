"""Rows 51 and 52: what is kept whatever happens, and what the bucket keeps."""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.bucket import DENIED, ONCE, Heard, backup, whole
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.s3client import s3_client
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import SourceError
from worker.engine.naming import index_key, metadata_key
from worker.engine.storage import NotFound
from worker.engine.storage.s3 import S3Storage, open_storage


def small(plan: PlanConfig, storage: S3Storage) -> None:
    (plan.data_dir / "media.bin").write_bytes(b"")


def empty(plan: PlanConfig, storage: S3Storage) -> None:
    for file in plan.data_dir.iterdir():
        file.unlink()


def gone(plan: PlanConfig, storage: S3Storage) -> None:
    plan.data_dir.rename(plan.data_dir.with_name("elsewhere"))


@pytest.mark.parametrize("loss", [small, empty, gone])
def test_row_51_a_failed_empty_or_shrunken_backup_costs_none_of_the_others(
    plan: PlanConfig, storage_config: StorageConfig, loss: object, tmp_path: Path
) -> None:
    storage = open_storage(storage_config)
    good = backup(plan, storage)
    content = b"".join(storage.get(good.key))
    assert callable(loss)
    loss(plan, storage)
    heard = Heard()
    for days in (1, 2, 3):
        with suppress(SourceError):
            assert backup(plan, storage, days=days, progress=heard).pruned == ()
    assert good.key in {one.key for one in list_backups(storage, plan)}
    assert b"".join(storage.get(good.key)) == content
    halted = [one.code for one in heard.warnings if one.code == "RETENTION_HALTED"]
    made = len(list_backups(storage, plan)) - 1
    assert len(halted) == made


def test_row_52_a_locked_bucket_hides_what_retention_deletes(
    plan: PlanConfig, storage_config: StorageConfig, tmp_path: Path
) -> None:
    config = replace(storage_config, bucket=f"lock-{uuid.uuid4().hex[:12]}", object_lock_days=1)
    client = s3_client(config)
    client.create_bucket(Bucket=config.bucket, ObjectLockEnabledForBucket=True)
    storage = open_storage(config)
    heard = Heard()
    keys = [backup(plan, storage, days=days, progress=heard).key for days in range(3)]
    assert [one.key for one in list_backups(storage, plan)] == keys[2:]
    assert heard.warnings == []
    whole(plan, config, keys[2], tmp_path / "back")
    held = client.list_object_versions(Bucket=config.bucket, Prefix=keys[0])["Versions"]
    assert {one["Key"] for one in held} == {keys[0], index_key(keys[0]), metadata_key(keys[0])}
    lock = client.get_object_retention(
        Bucket=config.bucket,
        Key=keys[0],
        VersionId=next(one["VersionId"] for one in held if one["Key"] == keys[0]),
    )["Retention"]
    assert lock["Mode"] == "GOVERNANCE"
    with pytest.raises(NotFound):
        storage.head(keys[0])


def test_row_52_objects_that_cannot_be_deleted_are_no_endless_error(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig
) -> None:
    """A server that refuses even to hide what is locked: each run says so once and goes on."""
    storage = open_storage(config, patience=ONCE)
    backup(plan, storage)
    proxy.faults = [Fault("DELETE", times=999, instead=DENIED)]
    for days in (1, 2):
        heard, before = Heard(), len(proxy.seen)
        backup(plan, storage, days=days, progress=heard)
        assert [one.code for one in heard.warnings] == ["PRUNE_FAILED"]
        asked = [line for line in proxy.seen[before:] if re.match("DELETE (?!.*probe)", line)]
        assert len(asked) == 1
    assert len(list_backups(storage, plan)) == 3
