"""The salt of last time spares a command waiting for its key, and is never believed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.engine.test_cli import KEY, Shell, shell  # noqa: F401  a fixture
from tests.support.s3client import s3_client
from worker.engine.archive import keys
from worker.engine.archive.frames import parse_header
from worker.engine.archive.keys import KdfParams
from worker.engine.cli import early_key
from worker.engine.config import StorageConfig

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
