"""`tarkeep ls`, `find`, `get` and `diff` as a shell uses them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.test_cli import KEY, Shell, shell  # noqa: F401  (a fixture)
from worker.engine.config import StorageConfig
from worker.engine.naming import index_key
from worker.engine.storage.s3 import open_storage


@pytest.fixture(params=["", KEY], ids=["plain", "sealed"])
def full(shell: Shell, request: pytest.FixtureRequest) -> Shell:  # noqa: F811
    """A shell with two backups in its bucket: in the second a file was added, one changed."""
    if request.param:
        shell.env["BACKUP_ENCRYPTION_KEY"] = request.param
    folder = shell.folder / "data" / "one"
    folder.mkdir()
    (folder / "key.json").write_text("secret")
    assert shell.run("backup").returncode == 0
    (folder / "new.json").write_text("added")
    (folder / "key.json").write_text("changed!")
    assert shell.run("backup").returncode == 0
    return shell


def keys(shell: Shell) -> list[str]:  # noqa: F811
    """Oldest first."""
    return sorted(backup["key"] for backup in shell.json("list")["backups"])


def test_ls_lists_a_folder(full: Shell) -> None:
    assert full.run("ls", "latest").stdout.splitlines() == ["debug.log", "one/", "state.json"]
    assert full.run("ls", "latest", "one/").stdout.splitlines() == ["key.json", "new.json"]
    assert full.run("ls", keys(full)[0], "/one").stdout.splitlines() == ["key.json"]
    (line,) = full.run("ls", "latest", "one/key.json", "--long").stdout.splitlines()
    assert line.startswith("-rw")
    assert line.endswith("key.json")
    assert full.run("ls", "latest", "nothing").returncode == 5


def test_ls_answers_as_json(full: Shell) -> None:
    entries = full.json("ls", "latest")["entries"]
    assert [(e["path"], e["kind"], e["size"]) for e in entries] == [
        ("debug.log", "file", 5), ("one", "folder", 0), ("state.json", "file", 8)
    ]  # fmt: skip


def test_names_that_are_no_utf8_come_through_json_and_back(full: Shell) -> None:
    name = b"odd-\xff\n"
    Path(os.fsdecode(bytes(full.folder / "data") + b"/" + name)).write_text("odd")
    assert full.run("backup").returncode == 0
    assert "odd-\\xff\\n" in full.run("ls", "latest").stdout.splitlines()
    (path,) = (e["path"] for e in full.json("ls", "latest")["entries"] if "odd" in e["path"])
    assert os.fsencode(path) == name
    assert full.run("get", "latest", path, "-o", "-").stdout == "odd"


def test_find_looks_in_all_backups_or_in_one(full: Shell) -> None:
    old, new = keys(full)
    found = full.json("find", "*.json")["matches"]
    assert [(match["backupKey"], match["path"]) for match in found] == [
        (new, "state.json"), (new, "one/key.json"), (new, "one/new.json"),
        (old, "state.json"), (old, "one/key.json"),
    ]  # fmt: skip
    assert full.run("find", "KEY", old).stdout.splitlines() == [f"{old}  one/key.json"]
    assert full.json("find", "nowhere")["matches"] == []


def test_find_goes_on_after_a_backup_that_cannot_be_looked_into(
    full: Shell, storage_config: StorageConfig
) -> None:
    old, new = keys(full)
    storage = open_storage(storage_config)
    storage.put(index_key(new), b"spoilt")
    told = full.json("find", "key.json")
    assert [match["backupKey"] for match in told["matches"]] == [old]
    assert told["skipped"] == [new]
    ran = full.run("find", "key.json")
    assert (ran.returncode, ran.stdout) == (0, f"{old}  one/key.json\n")
    assert f"{new} was not looked into" in ran.stderr
    assert full.run("find", "key.json", new).returncode == 5


def test_find_goes_on_after_a_backup_of_another_key(shell: Shell) -> None:  # noqa: F811
    sealed = shell.json("backup", BACKUP_ENCRYPTION_KEY=KEY)["backupKey"]
    plain = shell.json("backup")["backupKey"]
    told = shell.json("find", "state.json")
    assert [match["backupKey"] for match in told["matches"]] == [plain]
    assert told["skipped"] == [sealed]
    assert shell.run("find", "state.json", sealed).returncode == 6


def test_get_gives_a_file_or_a_folder(full: Shell) -> None:
    old, new = keys(full)
    assert full.run("get", old, "one/key.json", "-o", "-").stdout == "secret"
    assert full.json("get", new, "one/key.json")["files"] == 1
    assert (full.folder / "key.json").read_text() == "changed!"
    (full.folder / "into").mkdir()
    full.json("get", new, "one", "-o", "into")
    assert (full.folder / "into" / "one" / "new.json").read_text() == "added"
    full.json("get", old, ".", "-o", "everything")
    assert (full.folder / "everything" / "one" / "key.json").read_text() == "secret"


def test_get_replaces_nothing(full: Shell) -> None:
    (full.folder / "key.json").write_text("mine")
    again = full.run("get", "latest", "one/key.json")
    assert again.returncode == 7
    assert "already" in again.stderr
    assert (full.folder / "key.json").read_text() == "mine"


def test_diff_says_what_was_added_removed_and_changed(full: Shell) -> None:
    old, new = keys(full)
    lines = full.run("diff", old, new).stdout.splitlines()
    assert lines == [
        "~ one/key.json  (size, mtime)",
        "+ one/new.json",
        "1 added (5 B), 0 removed (0 B), 1 changed (8 B)",
    ]
    told = full.json("diff", new, old)
    assert [(c["change"], c["path"]) for c in told["changes"]] == [
        ("changed", "one/key.json"), ("removed", "one/new.json")
    ]  # fmt: skip
    assert told["totals"]["removed"] == {"entries": 1, "bytes": 5}
    assert full.json("diff", new, "latest")["changes"] == []


def test_a_reader_that_leaves_is_no_error(full: Shell) -> None:
    command = [sys.executable, "-m", "worker.engine.cli", "ls", "latest"]
    script = '"$@" 2>&1 >&3 | cat; exit "${PIPESTATUS[0]}"'
    ran = subprocess.run(
        ["bash", "-c", f"exec 3> >(exec true); sleep 0.3; {script}", "bash", *command],
        cwd=full.folder, env=full.env, capture_output=True, text=True,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (0, "")
