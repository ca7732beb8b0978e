"""`tarkeep` as a shell uses it: nothing but the bucket's settings, exit codes, JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from worker.engine.config import StorageConfig

KEY = "correct horse battery staple, and then some"


@dataclass
class Shell:
    folder: Path
    env: dict[str, str]

    def run(
        self, *words: str, stdin: str = "", before: Sequence[str] = (), **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, sys.executable, "-m", "worker.engine.cli", *words],
            cwd=self.folder,
            env=self.env | env,
            input=stdin,
            capture_output=True,
            text=True,
        )

    def json(self, *words: str, **env: str) -> Any:
        ran = self.run(*words, "--json", **env)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout)


@pytest.fixture
def shell(storage_config: StorageConfig, tmp_path: Path) -> Shell:
    data = tmp_path / "data"
    data.mkdir()
    (data / "state.json").write_text('{"n": 1}')
    (data / "debug.log").write_text("noise")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("BACKUP_")}
    root = str(Path(__file__).parents[2])
    return Shell(
        tmp_path,
        ours
        | {
            "PYTHONPATH": root,
            "BACKUP_S3_BUCKET": storage_config.bucket,
            "BACKUP_S3_ENDPOINT": storage_config.endpoint,
            "BACKUP_S3_ACCESS_KEY": storage_config.access_key,
            "BACKUP_S3_SECRET_KEY": storage_config.secret_key,
        },
    )


def test_back_up_list_verify_and_restore(shell: Shell) -> None:
    made = shell.json("backup", BACKUP_ENCRYPTION_KEY=KEY)
    assert (made["files"], made["encrypted"], made["warnings"]) == (2, True, 0)
    listed = shell.json("list")["backups"]
    assert [backup["key"] for backup in listed] == [made["backupKey"]]
    assert shell.json("verify", "latest", BACKUP_ENCRYPTION_KEY=KEY)["ok"] is True

    (shell.folder / "data" / "state.json").write_text("spoilt")
    done = shell.json("restore", made["backupKey"], "--yes", BACKUP_ENCRYPTION_KEY=KEY)
    assert (shell.folder / "data" / "state.json").read_text() == '{"n": 1}'
    assert (Path(done["safetyCopy"]) / "state.json").read_text() == "spoilt"


def test_the_same_for_people(shell: Shell) -> None:
    assert "No backups yet" in shell.run("list").stdout
    assert "Saved 2 files" in shell.run("backup").stdout
    assert "2 files" in shell.run("list").stdout
    assert "is whole" in shell.run("verify", "latest").stdout
    assert "Restored 2 files" in shell.run("restore", "latest", "--yes").stdout


def test_a_dry_run_saves_nothing(shell: Shell) -> None:
    cache = shell.folder / "data" / "cache"
    cache.mkdir()
    (cache / "one").write_bytes(bytes(1000))
    told = shell.json("backup", "--dry-run", BACKUP_EXCLUDE="*.log,cache/")
    assert (told["files"], told["folders"], told["bytes"]) == (1, 1, 8)
    assert (told["excluded"], told["excludedBytes"]) == (2, 1005)
    assert told["excludedFirst"] == ["cache/", "debug.log"]
    assert shell.json("list") == {"backups": []}


def test_a_dry_run_needs_no_bucket_but_settings_that_are_right(shell: Shell) -> None:
    nothing = dict.fromkeys(("BUCKET", "ENDPOINT", "ACCESS_KEY", "SECRET_KEY"), "")
    none = {f"BACKUP_S3_{name}": value for name, value in nothing.items()}
    ran = shell.run("backup", "--dry-run", BACKUP_EXCLUDE="*.log", **none)
    assert (
        "Would save 1 files in 1 folders (8 B); 1 left out by BACKUP_EXCLUDE (5 B)." in ran.stdout
    )
    assert "  debug.log" in ran.stdout.splitlines()
    assert shell.run("backup", "--dry-run", BACKUP_COMPRESSION_LEVEL="x", **none).returncode == 2
    assert shell.run("backup", **none).returncode == 2


def test_nobody_is_asked_without_a_terminal_and_nothing_happens(shell: Shell) -> None:
    shell.json("backup")
    (shell.folder / "data" / "state.json").write_text("newer")
    ran = shell.run("restore", "latest", stdin="yes\n")
    assert ran.returncode == 8
    assert "--yes" in ran.stderr
    assert (shell.folder / "data" / "state.json").read_text() == "newer"


@pytest.mark.parametrize(
    ("words", "env", "code", "text"),
    [
        (["backup"], {"BACKUP_S3_BUCKET": ""}, 2, "BACKUP_S3_BUCKET is not configured"),
        (["backup"], {"BACKUP_COMPRESSION_LEVEL": "10"}, 2, "BACKUP_COMPRESSION_LEVEL"),
        (["backup"], {"BACKUP_DATA_DIR": "./nothing"}, 3, "does not exist"),
        (["list"], {"BACKUP_S3_SECRET_KEY": "wrong-wrong-wrong"}, 4, "credentials"),
        (["restore", "latest", "--yes"], {}, 5, "backup"),
        (["verify", "../../etc/passwd"], {}, 5, "key"),
    ],
)
def test_exit_codes_mean_something(
    shell: Shell, words: list[str], env: dict[str, str], code: int, text: str
) -> None:
    ran = shell.run(*words, **env)
    assert ran.returncode == code, ran.stderr
    assert text in ran.stderr
    assert "Traceback" not in ran.stderr
    as_json = shell.run(*words, "--json", **env)
    assert set(json.loads(as_json.stdout)["error"]) == {"code", "message", "hint"}


def test_a_wrong_key_has_its_own_exit_code(shell: Shell) -> None:
    shell.json("backup", BACKUP_ENCRYPTION_KEY=KEY)
    ran = shell.run("restore", "latest", "--yes", BACKUP_ENCRYPTION_KEY="x" * 40)
    assert ran.returncode == 6
    assert "BACKUP_ENCRYPTION_KEY" in ran.stderr
    assert "x" * 40 not in ran.stderr


@pytest.mark.row(59)
@pytest.mark.parametrize("name", ["TERM", "HUP", "INT"])
def test_a_signal_ends_a_backup_with_the_instances_running_again(shell: Shell, name: str) -> None:
    running = shell.folder / "running"
    running.touch()
    ran = shell.run(
        "backup",
        BACKUP_STOP_INSTANCES="true",
        BACKUP_INSTANCE_DRIVER="command",
        BACKUP_INSTANCE_STOP_COMMAND=f"sh -c 'rm {running}; kill -{name} $PPID'",
        BACKUP_INSTANCE_START_COMMAND=f"touch {running}",
        BACKUP_INSTANCE_STATUS_COMMAND=f"test -e {running}",
    )
    assert (ran.returncode, running.exists()) == (8, True), ran.stderr
    assert "Stopped" in ran.stderr
    assert shell.json("list") == {"backups": []}
    assert not list((shell.folder / "temp").glob(".tarkeep-stopped-*"))


def test_an_undo_asks_and_takes_a_restore_back(shell: Shell) -> None:
    state = shell.folder / "data" / "state.json"
    shell.json("backup")
    state.write_text('{"n": 2}')
    copy = shell.json("restore", "latest", "--yes")["safetyCopy"]
    asked = shell.run("undo", stdin="")
    assert (asked.returncode, state.read_text()) == (8, '{"n": 1}')
    done = shell.json("undo", "--yes")
    assert (done["copy"], state.read_text()) == (copy, '{"n": 2}')
    assert shell.run("undo", "--yes").returncode == 0
    assert state.read_text() == '{"n": 1}'


def test_an_undo_without_a_restore_before_it_says_so(shell: Shell) -> None:
    refused = shell.run("undo", "--yes", "--json")
    assert refused.returncode == 7
    assert json.loads(refused.stdout)["error"]["code"] == "NO_SAFETY_COPY"


def test_a_restore_that_was_killed_is_settled_and_its_instances_started_by_the_next_run(
    shell: Shell,
) -> None:
    running, state = shell.folder / "running", shell.folder / "data" / "state.json"
    running.touch()
    shell.env |= {
        "BACKUP_STOP_INSTANCES": "true",
        "BACKUP_INSTANCE_DRIVER": "command",
        "BACKUP_INSTANCE_STOP_COMMAND": f"rm '{running}'",
        "BACKUP_INSTANCE_START_COMMAND": f"touch '{running}'",
        "BACKUP_INSTANCE_STATUS_COMMAND": f"test -e '{running}'",
    }
    shell.json("backup")
    state.write_text("changed")
    killed = shell.run("restore", "latest", "--yes", TARKEEP_CRASH_AT="swap.exchanged")
    assert (killed.returncode, running.exists()) == (-9, False)
    shell.json("undo", "--yes")
    assert (running.exists(), state.read_text()) == (True, "changed")
