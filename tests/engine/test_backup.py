"""One backup, from a folder to a real bucket."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.engine.trees import describe
from worker.engine.archive.reader import open_archive
from worker.engine.backup import BackupResult, run_backup
from worker.engine.catalogue import find_backup, incomplete, list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import ArchiveError, JobStopped, KeyMismatch, SourceError
from worker.engine.storage.found_out import record_key
from worker.engine.storage.s3 import S3Storage, open_storage

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
PASSPHRASE = "correct horse battery staple, and then some"
DECRYPT = Path(__file__).parents[2] / "scripts" / "tarkeep_decrypt.py"


@pytest.fixture
def storage(storage_config: StorageConfig) -> S3Storage:
    return open_storage(storage_config)


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    (data / "instance-1").mkdir(parents=True)
    (data / "state.json").write_text('{"n": 1}' * 1000)
    (data / "instance-1" / "media.bin").write_bytes(os.urandom(9_000_000))
    for number in range(300):
        (data / "instance-1" / f"key-{number}.json").write_text(f'{{"key": {number}}}')
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp")


def download(storage: S3Storage, key: str) -> bytes:
    return b"".join(storage.get(key))


def untar(archive: bytes, target: Path) -> Path:
    target.mkdir()
    subprocess.run(["tar", "xzf", "-", "-C", str(target)], input=archive, check=True)
    return target / "data"


def encrypted(plan: PlanConfig) -> PlanConfig:
    return dataclasses.replace(plan, encryption_key=PASSPHRASE)


def backup(plan: PlanConfig, storage: S3Storage, days: int = 0) -> BackupResult:
    return run_backup(plan, storage, Heard(), now=NOW + timedelta(days=days))


def test_a_backup_is_one_ordinary_tar_gz(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path
) -> None:
    made = backup(plan, storage)
    assert made.key == "backups/whatsapp-data-backup-2026-01-02T03-04-05-678Z.tar.gz"
    archive = download(storage, made.key)
    assert describe(untar(archive, tmp_path / "out")) == describe(plan.data_dir)
    assert made.checksum == "sha256:" + hashlib.sha256(archive).hexdigest()
    assert (made.size, made.files) == (len(archive), 302)


def test_the_metadata_says_what_is_there(plan: PlanConfig, storage: S3Storage) -> None:
    made = backup(plan, storage)
    told = json.loads(download(storage, made.key + ".metadata.json"))
    assert told["timestamp"] == "2026-01-02T03:04:05.678Z"
    assert told["size"] == made.size
    assert told["checksum"] == made.checksum
    assert told["compressed"] is True
    assert told["encrypted"] is False
    assert told["version"]


def test_an_encrypted_backup_shows_nothing_and_opens_with_the_script_alone(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path
) -> None:
    made = backup(encrypted(plan), storage)
    archive = download(storage, made.key)
    assert b"data/" not in archive
    plain = subprocess.run(
        [sys.executable, "-I", str(DECRYPT), "-", "-"],
        input=archive,
        env={"BACKUP_ENCRYPTION_KEY": PASSPHRASE},
        capture_output=True,
        check=True,
    ).stdout
    assert describe(untar(plain, tmp_path / "out")) == describe(plan.data_dir)


def test_a_second_backup_seals_with_the_same_key(plan: PlanConfig, storage: S3Storage) -> None:
    first, second = (backup(encrypted(plan), storage, days) for days in (0, 1))
    assert first.metadata.key_id == second.metadata.key_id


def test_another_passphrase_gets_a_salt_of_its_own(plan: PlanConfig, storage: S3Storage) -> None:
    first = backup(encrypted(plan), storage)
    other = dataclasses.replace(plan, encryption_key=PASSPHRASE + " changed")
    assert backup(other, storage, 1).metadata.key_id != first.metadata.key_id


def read_all(plan: PlanConfig, storage: S3Storage, key: str) -> int:
    found = find_backup(storage, plan, key)
    size = 0
    with open_archive(storage, plan, found, Heard()) as stream:
        while piece := stream.read(100_000):
            size += len(piece)
    return size


@pytest.mark.parametrize("sealed", [False, True])
def test_reading_an_archive_verifies_it(plan: PlanConfig, storage: S3Storage, sealed: bool) -> None:
    chosen = encrypted(plan) if sealed else plan
    made = backup(chosen, storage)
    assert read_all(chosen, storage, made.key) > made.data_size


@pytest.mark.parametrize("sealed", [False, True])
def test_a_damaged_archive_does_not_pass(
    plan: PlanConfig, storage: S3Storage, sealed: bool
) -> None:
    chosen = encrypted(plan) if sealed else plan
    made = backup(chosen, storage)
    archive = bytearray(download(storage, made.key))
    archive[len(archive) // 2] ^= 1
    storage.put(made.key, bytes(archive))
    with pytest.raises(ArchiveError):
        read_all(chosen, storage, made.key)


def test_a_wrong_key_is_said_before_the_archive_is_fetched(
    plan: PlanConfig, storage: S3Storage
) -> None:
    made = backup(encrypted(plan), storage)
    with pytest.raises(KeyMismatch):
        read_all(dataclasses.replace(plan, encryption_key="x" * 40), storage, made.key)


def test_an_encrypted_backup_replaced_by_a_plain_one_is_refused(
    plan: PlanConfig, storage: S3Storage
) -> None:
    made, plain = backup(encrypted(plan), storage), backup(plan, storage, 1)
    storage.put(made.key, download(storage, plain.key))
    with pytest.raises(ArchiveError):
        read_all(encrypted(plan), storage, made.key)


def test_only_the_newest_are_kept(plan: PlanConfig, storage: S3Storage) -> None:
    plan = dataclasses.replace(plan, max_backups=2)
    made = [backup(plan, storage, days) for days in range(4)]
    assert [b.key for b in list_backups(storage, plan)] == [made[3].key, made[2].key]
    assert made[3].pruned == (made[1].key,)
    left = [found.key for found in storage.list("backups/") if found.key != record_key(plan)]
    assert len(left) == 6


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_text("")])
def test_a_missing_or_empty_data_folder_is_refused_and_nothing_is_removed(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, make: object
) -> None:
    plan = dataclasses.replace(plan, max_backups=1)
    made = backup(plan, storage)
    odd = dataclasses.replace(plan, data_dir=tmp_path / "odd")
    make(odd.data_dir)  # type: ignore[operator]
    with pytest.raises(SourceError):
        backup(odd, storage, 1)
    assert [b.key for b in list_backups(storage, plan)] == [made.key]


class StopsAt(Heard):
    """Is cancelled when `step` is reached."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step

    def checkpoint(self) -> None:
        if self.step == "checkpoint":
            raise JobStopped("Cancelled.")

    def commit(self, step: str) -> None:
        if self.step == step:
            raise JobStopped("Cancelled.")


@pytest.mark.parametrize("step", ["checkpoint", "publish"])
def test_a_cancelled_backup_leaves_nothing_behind(
    plan: PlanConfig, storage: S3Storage, step: str
) -> None:
    with pytest.raises(JobStopped):
        run_backup(plan, storage, StopsAt(step), now=NOW)
    assert not list(storage.list(""))
    assert not incomplete(storage, plan)
    assert not list(plan.temp_dir.iterdir())
