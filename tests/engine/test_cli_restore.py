"""`tarkeep restore` with paths, a time, a target, and only to look."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine.test_cli import KEY, Shell, shell  # noqa: F401  (a fixture)
from tests.support.s3client import s3_client
from worker.engine.config import StorageConfig


@pytest.fixture(params=["plain", "sealed", "no index"])
def full(
    shell: Shell,  # noqa: F811
    request: pytest.FixtureRequest,
    storage_config: StorageConfig,
) -> Shell:
    """A shell with one backup in its bucket, and a data folder that has changed since."""
    if request.param == "sealed":
        shell.env["BACKUP_ENCRYPTION_KEY"] = KEY
    data = shell.folder / "data"
    for name in ("one/a.txt", "one/deep/b.txt", "same.txt"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("saved")
    with closing(sqlite3.connect(data / "app.db")) as db:
        db.execute("CREATE TABLE words (word)")
        db.commit()
    made = shell.json("backup")["backupKey"]
    if request.param == "no index":
        s3_client(storage_config).delete_object(Bucket=storage_config.bucket, Key=f"{made}.index")
    (data / "one/a.txt").write_text("changed!")
    (data / "one/deep/b.txt").unlink()
    (data / "one/new.txt").write_text("new")
    (data / "app.db-wal").write_text("a log")
    return shell


def changes(told: dict) -> list[tuple[str, str]]:
    return [(change["change"], change["path"]) for change in told["changes"]]


def test_a_part_is_restored(full: Shell) -> None:
    done = full.json("restore", "latest", "one/a.txt", "**/b.txt", "--yes")
    data = full.folder / "data"
    assert (done["files"], done["mode"]) == (2, "parts")
    assert (data / "one/a.txt").read_text() == "saved"
    assert (data / "one/deep/b.txt").read_text() == "saved"
    assert (data / "one/new.txt").read_text() == "new"
    assert (Path(done["safetyCopy"]) / "one/a.txt").read_text() == "changed!"


def test_nobody_to_ask_means_no(full: Shell) -> None:
    ran = full.run("restore", "latest", "one/a.txt")
    assert ran.returncode == 8
    assert (full.folder / "data/one/a.txt").read_text() == "changed!"


def test_into_another_folder_nobody_is_asked(full: Shell) -> None:
    done = full.json("restore", "latest", "one", "--to", "out/new")
    assert done["target"] == str(full.folder / "out/new")
    assert (full.folder / "out/new/one/deep/b.txt").read_text() == "saved"
    assert not (full.folder / "out/new/same.txt").exists()
    assert full.run("restore", "latest", "one", "--to", "out").returncode == 7
    everything = full.json("restore", "latest", "--to", "all")
    assert (full.folder / "all/same.txt").exists()
    assert everything["files"] == 6


def test_a_dry_run_of_all_tells_everything_and_changes_nothing(full: Shell) -> None:
    told = full.json("restore", "latest", "--dry-run")
    assert changes(told) == [
        ("removed", "app.db-wal"), ("replaced", "one/a.txt"), ("added", "one/deep/b.txt"),
        ("removed", "one/new.txt"),
    ]  # fmt: skip
    assert told["totals"]["added"] == {"entries": 1, "bytes": 5}
    assert told["totals"]["removed"] == {"entries": 2, "bytes": 8}
    assert told["totals"]["unchanged"]["entries"] == 6
    assert told["contentCompared"] is False
    assert (full.folder / "data/one/a.txt").read_text() == "changed!"


def test_a_dry_run_of_a_part_tells_of_that_part(full: Shell) -> None:
    assert changes(full.json("restore", "latest", "one/*.txt", "--dry-run")) == [
        ("replaced", "one/a.txt")
    ]
    assert changes(full.json("restore", "latest", "one", "--dry-run")) == [
        ("replaced", "one/a.txt"), ("added", "one/deep/b.txt"), ("removed", "one/new.txt"),
    ]  # fmt: skip
    assert changes(full.json("restore", "latest", "app.db", "--dry-run")) == [
        ("removed", "app.db-wal")
    ]
    assert full.run("restore", "latest", "nothing", "--dry-run").returncode == 5
    lines = full.run("restore", "latest", "one", "--dry-run").stdout.splitlines()
    assert lines[:3] == ["~ one/a.txt", "+ one/deep/b.txt", "- one/new.txt"]
    assert "content was not compared" in lines[-1]


def test_a_dry_run_is_what_the_restore_then_does(full: Shell) -> None:
    words = ("latest", "one", "app.db")
    before = set(os.listdir(full.folder / "data/one"))
    told = changes(full.json("restore", *words, "--dry-run"))
    full.json("restore", *words, "--yes")
    after = set(os.listdir(full.folder / "data/one"))
    assert {f"one/{name}" for name in before - after} == {"one/new.txt"}
    assert not (full.folder / "data/app.db-wal").exists()
    assert ("removed", "one/new.txt") in told
    assert changes(full.json("restore", *words, "--dry-run")) == []


def test_at_chooses_the_newest_backup_of_that_time_or_before(
    shell: Shell,  # noqa: F811
    storage_config: StorageConfig,
) -> None:
    s3, bucket = s3_client(storage_config), storage_config.bucket
    made = shell.json("backup")["backupKey"]
    start = made[: made.index("202")]
    for stamp in ("2025-01-01T12-00-00-000Z", "2025-01-03T12-00-00-000Z"):
        key, source = f"{start}{stamp}.tar.gz", {"Bucket": bucket, "Key": made}
        s3.copy_object(Bucket=bucket, Key=key, CopySource=source)
        said = json.loads(s3.get_object(Bucket=bucket, Key=f"{made}.metadata.json")["Body"].read())
        text = json.dumps({**said, "timestamp": stamp}).encode()
        s3.put_object(Bucket=bucket, Key=f"{key}.metadata.json", Body=text)
    s3.delete_object(Bucket=bucket, Key=f"{made}.metadata.json")

    def at(time: str, **env: str) -> str:
        return shell.json("restore", "--at", time, "--dry-run", **env)["backupKey"]

    first, second = (f"{start}2025-01-0{day}T12-00-00-000Z.tar.gz" for day in (1, 3))
    assert at("2025-01-01T12:00:00Z") == first
    assert at("2025-01-03T11:59:59Z") == first
    assert at("2025-01-03T12:00:00+00:00") == second
    assert at("2025-01-03T10:00", BACKUP_TIMEZONE="America/Sao_Paulo") == second
    assert at("2025-01-03T10:00", BACKUP_TIMEZONE="Asia/Tokyo") == first
    assert at("2099-01-01") == second
    early = shell.run("restore", "--at", "2025-01-01T11:59:59Z", "--dry-run")
    assert early.returncode == 5
    assert "no backup of 2025-01-01T11:59:59+00:00 or before" in early.stderr
    assert shell.run("restore", "--at", "yesterday", "--dry-run").returncode == 2
    assert shell.run("restore", first, "--at", "2025-01-02", "--dry-run").returncode == 2
    assert shell.run("restore", "--dry-run").returncode == 2
    part = shell.json("restore", "--at", "2025-01-02", "state.json", "--to", "out")
    assert (part["backupKey"], part["files"]) == (first, 1)
    assert shell.json("restore", "latest", "--at", "2025-01-02", "--to", "all")["files"] == 2


def test_list_marks_a_plain_backup_where_a_key_is_set(shell: Shell) -> None:  # noqa: F811
    shell.json("backup")
    (listed,) = shell.json("list", BACKUP_ENCRYPTION_KEY=KEY)["backups"]
    assert listed["warnings"] == ["NOT_ENCRYPTED"]
    assert "NOT ENCRYPTED" in shell.run("list", BACKUP_ENCRYPTION_KEY=KEY).stdout
    assert "NOT_ENCRYPTED" in shell.run("verify", "latest", BACKUP_ENCRYPTION_KEY=KEY).stderr
    assert shell.json("list")["backups"][0]["warnings"] == []
