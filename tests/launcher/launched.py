"""A launcher of its own for a test: a copy of the tree, started as `make run` starts it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from backup_project.web_settings import WEB_VARIABLES
from launcher.ports import free_ports
from tarkeep_client import Tarkeep
from worker.engine.settings import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
TREE = ("backup_project", "backups_app", "launcher", "worker", "scripts", "manage.py", "Procfile")
TOKEN = "a-token-for-tests-" + "t" * 32
# Tests ask far more often than people and their scripts do.
GIVEN = {"BACKUP_API_TOKEN": TOKEN, "TARKEEP_API_RATE": "0"}
LIMIT = 90


def copy_tree(target: Path) -> Path:
    """A checkout without data, settings or state, but with what is compiled of it."""
    target.mkdir()
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name)
        else:
            shutil.copy2(source, target / name)
    return target


class Launched:
    """`python -m launcher` in `home`, its output in a file."""

    def __init__(self, home: Path, *, given: Mapping[str, str] = GIVEN, **settings: str) -> None:
        self.home = home
        self.port = int(settings.setdefault("PORT", str(free_ports(1)[0])))
        self.screen = home / "screen.txt"
        with self.screen.open("wb") as screen:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "launcher"],
                cwd=home,
                env=clean_environment() | dict(given) | settings,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.screen.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        """Until `text` is on the screen; fails with the whole screen when it does not come."""
        deadline = time.monotonic() + LIMIT
        while text not in self.output():
            ended = self.process.poll() is not None
            if (ended and text not in self.output()) or time.monotonic() > deadline:
                raise AssertionError(f"{text!r} did not come:\n{self.output()}")
            time.sleep(0.1)

    def started(self) -> Launched:
        self.wait_for("Tarkeep runs.")
        self.wait_for("Ctrl-C")
        return self

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.exit_code()

    def exit_code(self) -> int:
        return self.process.wait(LIMIT)

    def password(self) -> str | None:
        found = re.search(r"^  Password +(\S+)", self.output(), re.MULTILINE)
        return found.group(1) if found else None

    def api(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=LIMIT,
        )

    def tarkeep(self) -> Tarkeep:
        """The client that users have."""
        return Tarkeep(f"http://127.0.0.1:{self.port}", token=TOKEN, timeout=LIMIT)

    def part(self, name: str) -> int:
        """The process id of the child whose command line holds `name`."""
        return next(pid for pid, line in self.parts().items() if name in line)

    def parts(self) -> dict[int, str]:
        """All processes started under this launcher: id and command line."""
        return processes_below(self.process.pid)


def clean_environment() -> dict[str, str]:
    """This machine's environment without a single setting of Tarkeep or of the test run."""
    ours = {name for variable in (*VARIABLES, *WEB_VARIABLES) for name in variable.names}
    ours.add("DJANGO_SETTINGS_MODULE")
    return {name: value for name, value in os.environ.items() if name not in ours}


def processes_below(pid: int) -> dict[int, str]:
    shown = subprocess.run(
        ["ps", "-eww", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 3) for line in shown.stdout.splitlines()]
    below, wave = {}, {str(pid)}
    while wave:
        found = {row[0]: row[3] for row in rows if row[1] in wave and row[2][0] != "Z"}
        below |= found
        wave = set(found)
    return {int(number): line for number, line in below.items()}


def still_running(pids: dict[int, str]) -> list[str]:
    """Command lines of those that live on."""
    shown = subprocess.run(["ps", "-eo", "pid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in shown.stdout.splitlines()]
    alive = {int(pid) for pid, state in rows if state[0] != "Z"}
    return [line for pid, line in pids.items() if pid in alive]
