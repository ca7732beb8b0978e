"""Rows 48 to 50: what killed runs leave behind, and what is not ours."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.test_cli import Shell, shell
from tests.faults.bucket import Place, backup, killed, nothing_half, whole
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.janitor import tidy
from worker.engine.progress import Progress
from worker.engine.storage.s3 import open_storage
from worker.engine.verify import run_verify

__all__ = ["shell"]


@pytest.mark.parametrize("point", ["backup.archive-sent", "backup.index-sent"])
def test_row_48_a_run_killed_between_archive_and_metadata_is_hidden_and_cleared_away(
    shell: Shell, storage_config: StorageConfig, point: str
) -> None:
    plan, storage = PlanConfig(), open_storage(storage_config)
    kept = shell.json("backup")["backupKey"]
    assert shell.run("backup", TARKEEP_CRASH_AT=point).returncode == -signal.SIGKILL
    assert [one.key for one in list_backups(storage, plan)] == [kept]
    assert tidy(storage, plan, now=datetime.now(UTC)).deleted == []
    cleared = tidy(storage, plan, now=datetime.now(UTC) + timedelta(hours=25)).deleted
    assert len(cleared) == {"backup.archive-sent": 1, "backup.index-sent": 2}[point]
    nothing_half(plan, storage_config, listed=1)
    assert shell.run("verify", kept).returncode == 0


@pytest.mark.parametrize("point", ["prune.deleted:1", "prune.deleted:2", "prune.deleted:3"])
def test_row_49_a_deletion_killed_halfway_is_not_listed_and_finished_later(
    shell: Shell, storage_config: StorageConfig, point: str
) -> None:
    plan, storage = PlanConfig(), open_storage(storage_config)
    keys = [shell.json("backup")["backupKey"] for _ in range(2)]
    killed = shell.run("prune", BACKUP_MAX_BACKUPS="1", TARKEEP_CRASH_AT=point)
    assert killed.returncode == -signal.SIGKILL
    assert [one.key for one in list_backups(storage, plan)] == keys[1:]
    assert shell.json("prune", BACKUP_MAX_BACKUPS="1")["deleted"] == []
    tidy(storage, plan, now=datetime.now(UTC) + timedelta(hours=25))
    nothing_half(plan, storage_config, listed=1)
    assert shell.run("verify", keys[1]).returncode == 0


@pytest.mark.invariant("I3", "I6", "I7")
def test_row_48_what_a_kill_between_archive_and_metadata_leaves_goes_from_any_server(
    small: PlanConfig, place: Place, tmp_path: Path
) -> None:
    storage = open_storage(place.config)
    kept = backup(small, storage)
    killed("backup.index-sent", lambda: backup(small, storage, days=1))
    assert [one.key for one in list_backups(storage, small)] == [kept.key]
    assert len(tidy(storage, small, now=datetime.now(UTC) + timedelta(hours=25)).deleted) == 2
    nothing_half(small, place.config, listed=1)
    whole(small, place.config, kept.key, tmp_path / "back")


def test_row_49_a_deletion_killed_halfway_is_finished_on_any_server(
    small: PlanConfig, place: Place, tmp_path: Path
) -> None:
    storage = open_storage(place.config)
    backup(small, storage)
    killed("prune.deleted:2", lambda: backup(small, storage, days=1))
    (newest,) = list_backups(storage, small)
    tidy(storage, small, now=datetime.now(UTC) + timedelta(hours=25))
    nothing_half(small, place.config, listed=1)
    run_verify(small, storage, Progress(), key=newest.key)


def test_row_50_what_others_keep_in_the_bucket_is_never_touched(
    plan: PlanConfig, storage_config: StorageConfig
) -> None:
    storage = open_storage(storage_config)
    first = backup(plan, storage)
    foreign = {
        "notes.txt", "backups/notes.txt", f"{first.key}.bak", f"x{first.key}", f"{first.key}/x",
        first.key.replace("data-backup", "data-backup-2"), first.key.replace("2026-01", "2026-13"),
        "backups/whatsapp-data-backup-.tar.gz", "backups/whatsapp-data-backup-latest.tar.gz",
    }  # fmt: skip
    for key in foreign:
        storage.put(key, key.encode())
    theirs = storage.start_upload("backups/theirs.bin")
    assert backup(plan, storage, days=1).pruned == (first.key,)
    tidy(storage, plan, now=datetime.now(UTC) + timedelta(days=400))
    left = {found.key for found in storage.list("")}
    assert foreign <= left
    assert all(storage.get_bytes(key, limit=1000) == key.encode() for key in foreign)
    assert [one.upload_id for one in storage.uploads("")] == [theirs.upload_id]
