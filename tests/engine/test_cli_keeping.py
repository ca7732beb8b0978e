"""`tarkeep prune`, `pin`, `unpin` and `tidy` as a shell uses them."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.test_catalogue import START, put_backup
from tests.engine.test_cli import Shell, shell
from tests.support.memory_storage import MemoryStorage
from worker.engine.catalogue import list_backups
from worker.engine.cli import commands
from worker.engine.cli.commands import Context
from worker.engine.cli.output import Output
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.metadata import Metadata, dump
from worker.engine.naming import archive_key, metadata_key, pin_key
from worker.engine.storage.s3 import S3Storage, open_storage

__all__ = ["shell"]
PLAN = PlanConfig()


@pytest.fixture
def storage(storage_config: StorageConfig) -> S3Storage:
    return open_storage(storage_config)


def test_a_dry_run_tells_and_a_run_deletes(shell: Shell, storage: S3Storage) -> None:
    keys = [put_backup(storage, number) for number in range(1, 6)]
    before = {found.key for found in storage.list("")}
    told = shell.run("prune", "--dry-run")
    lines = told.stdout.splitlines()
    assert lines[0] == f"keep  {keys[4]}: it is one of the 3 newest"
    assert lines[4] == f"GO    {keys[0]}: it is not among the 3 newest"
    assert {found.key for found in storage.list("")} == before
    assert shell.json("prune")["deleted"] == keys[:2]
    assert shell.json("prune")["deleted"] == []
    assert [one["key"] for one in shell.json("list")["backups"]] == keys[:1:-1]


def test_a_pinned_backup_stays_until_it_is_unpinned(shell: Shell, storage: S3Storage) -> None:
    keys = [put_backup(storage, number) for number in range(1, 6)]
    assert shell.json("pin", keys[0]) == {"backupKey": keys[0], "pinned": True}
    assert shell.json("prune")["deleted"] == [keys[1]]
    assert shell.json("unpin", keys[0])["pinned"] is False
    assert shell.json("prune")["deleted"] == [keys[0]]
    assert pin_key(keys[0]) not in {found.key for found in storage.list("")}


def test_a_shrunken_backup_stops_all_deleting_until_confirmed(
    shell: Shell, storage: S3Storage
) -> None:
    keys = [put_backup(storage, number) for number in range(1, 6)]
    for key, size in ((keys[3], 100), (keys[4], 3)):
        made = Metadata(
            START.isoformat(), 1, "sha256:" + "0" * 64, True, False, "1", data_size=size
        )
        storage.put(metadata_key(key), dump(made))
    halted = shell.json("prune")
    assert halted["deleted"] == []
    assert keys[4] in halted["halted"]
    assert shell.json("prune", "--confirm-shrunk")["deleted"] == keys[:2]
    again = shell.run("prune", "--confirm-shrunk")
    assert again.returncode == 5
    assert "Nothing is to be confirmed" in again.stderr


def test_tidying_up_leaves_what_is_young(shell: Shell, storage: S3Storage) -> None:
    upload = storage.start_upload(archive_key(PLAN, START))
    assert shell.json("tidy") == {"deleted": [], "aborted": [], "left": []}
    assert "Nothing to tidy up." in shell.run("tidy", "--dry-run").stdout
    assert [one.upload_id for one in storage.uploads("")] == [upload.upload_id]


def test_a_backup_by_hand_clears_away_what_dead_runs_have_left(tmp_path: Path) -> None:
    storage = MemoryStorage()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("content")
    upload = storage.start_upload(archive_key(PLAN, START))
    upload.begun = START
    plan = replace(PLAN, data_dir=tmp_path / "data", temp_dir=tmp_path / "temp")
    arguments = Namespace(dry_run=False)
    commands.backup(Context(plan, storage, Output(json=True, quiet=True), arguments))
    assert storage.uploads_open == {}
    assert len(list_backups(storage, plan)) == 1
