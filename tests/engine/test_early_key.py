"""The salt of last time spares a command waiting for its key, and is never believed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.engine.test_cli import KEY, Shell, shell  # noqa: F401  a fixture
from tests.support.memory_storage import MemoryStorage
from tests.support.s3client import s3_client
from worker.engine.archive import keys
from worker.engine.archive.deployment_key import sealing_key
from worker.engine.archive.frames import parse_header
from worker.engine.archive.keys import KdfParams
from worker.engine.cli import early_key
from worker.engine.config import PlanConfig, StorageConfig

SEALED = {"BACKUP_ENCRYPTION_KEY": KEY}


def kept(shell: Shell) -> Path:  # noqa: F811
    return shell.folder / "temp" / early_key.FILE


def test_the_salt_in_the_bucket_is_kept(shell: Shell, storage_config: StorageConfig) -> None:  # noqa: F811
    made = shell.json("backup", **SEALED)
    client = s3_client(storage_config)
    archive = client.get_object(Bucket=storage_config.bucket, Key=made["backupKey"])["Body"].read()
    assert kept(shell).read_bytes() == parse_header(archive[:256]).params.salt


@pytest.mark.parametrize(
    "wrong", [b"another salt....", b"short", b""], ids=["other", "short", "empty"]
)
def test_a_wrong_one_is_not_believed_and_mended(wrong: bytes, shell: Shell) -> None:  # noqa: F811
    first = shell.json("backup", **SEALED)
    salt = kept(shell).read_bytes()
    kept(shell).write_bytes(wrong)
    assert shell.json("verify", "latest", **SEALED)["ok"] is True
    assert kept(shell).read_bytes() == salt
    kept(shell).write_bytes(wrong)
    assert shell.json("backup", **SEALED)["backupKey"] != first["backupKey"]
    assert kept(shell).read_bytes() == salt  # and the second backup is sealed with the same one


def test_a_plain_backup_keeps_none(shell: Shell) -> None:  # noqa: F811
    shell.json("backup")
    assert not kept(shell).exists()


@pytest.mark.parametrize(("words", "derived"), [(["get"], True), (["list"], False), ([], False)])
def test_only_commands_that_need_the_key_derive_it(
    words: list[str], derived: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    salt = os.urandom(keys.SALT_SIZE)
    (tmp_path / early_key.FILE).write_bytes(salt)
    monkeypatch.setenv("BACKUP_TEMP_DIR", str(tmp_path))
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", KEY)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(keys, "_latest", None)
    before = set(threading.enumerate())
    early_key.begin(words)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert keys.latest_params() == (KdfParams(salt) if derived else None)


def begin(words: list[str], temp_dir: Path, monkeypatch: pytest.MonkeyPatch) -> KdfParams | None:
    """What is derived early, where no salt is kept."""
    monkeypatch.setenv("BACKUP_TEMP_DIR", str(temp_dir))
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", KEY)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(keys, "_latest", None)
    monkeypatch.setattr(keys, "_drawn", [])
    before = set(threading.enumerate())
    early_key.begin(words)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    return keys.latest_params()


def test_a_first_backup_has_its_salt_drawn_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = begin(["backup"], tmp_path, monkeypatch)
    assert drawn
    plan = PlanConfig(data_dir=tmp_path, temp_dir=tmp_path, encryption_key=KEY)
    first, second = (sealing_key(MemoryStorage(), plan) for _ in range(2))
    assert first
    assert second
    assert first.params == drawn
    assert second.params != drawn  # it is given away once


def test_nothing_is_drawn_for_who_makes_no_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert begin(["restore"], tmp_path, monkeypatch) is None
