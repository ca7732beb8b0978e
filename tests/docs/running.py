"""A running Tarkeep, as README starts it, and somebody who types in its folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.launcher.launched import Launched, clean_environment, copy_tree
from tests.support.pages import blocks, page, section
from tests.support.receiver import receiver

README = page("README.md")
BY_HAND = "From the first backup to a restore, by hand"
SHELL = "set -a; . var/bucket.env; set +a"
PATIENCE = 90


@dataclass
class Folder:
    """Tarkeep's folder with a running service, and somebody who types there."""

    home: Path
    port: int = 0
    launched: Launched | None = None
    env: dict[str, str] = field(default_factory=dict)

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        address = f"127.0.0.1:{self.port}"
        watch = "scripts/watch.py"
        script = script.replace("127.0.0.1:8000", address)
        script = script.replace("tarkeep restore", "tarkeep restore --yes")
        script = script.replace(f"{watch} &", f"{watch} ws://{address}/ws/backup/ &")
        return subprocess.run(
            ["bash", "-eu", "-c", f"shopt -s expand_aliases\n{script}"],
            cwd=self.home, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip

    def type(self, script: str) -> str:
        done = self.run(script)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    """Started by the page's own commands, but for `make run`, which is run without make."""
    home = copy_tree(tmp_path_factory.mktemp("docs") / "tarkeep")
    (home / ".venv").symlink_to(sys.prefix)
    path = f"{home}/.venv/bin:{os.environ['PATH']}"
    made = Folder(home, env=clean_environment() | {"PATH": path})
    with receiver() as there:
        (home / ".env").write_text(
            f"BACKUP_NOTIFY_URLS=json://{there.address}/\nBACKUP_NOTIFY_ALLOW_PRIVATE=true\n"
            "BACKUP_MAX_BACKUPS=20\n"
        )
        made.type(blocks(section(README, BY_HAND))[0].removesuffix("make run\n"))
        launched = Launched(home, given={"TARKEEP_API_RATE": "0"}).started()
        made.port, made.launched = launched.port, launched
        yield made
        launched.stop()


def idle(folder: Folder, shell: str, query: str = "") -> None:
    """One job at a time: the one before has to end. `shell` defines `tk`."""
    end = monotonic() + PATIENCE
    asked = f'{shell}tk "$TARKEEP/api/backup/status{query}"'
    while json.loads(folder.type(asked))["inProgress"]:
        assert monotonic() < end
        sleep(0.2)
