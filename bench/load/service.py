"""A whole service of its own, started as `make run` starts it, on a server that takes no CPU."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.servers import Bucket
from launcher.ports import free_ports
from tarkeep_client import Tarkeep

ROOT = Path(__file__).resolve().parents[2]
TREE = ("backup_project", "backups_app", "launcher", "worker", "manage.py", "Procfile")
SECONDS = 120


@dataclass(frozen=True)
class Service:
    home: Path
    port: int
    process: subprocess.Popen[bytes]
    token: str = field(repr=False)

    def client(self) -> Tarkeep:
        return Tarkeep(f"http://127.0.0.1:{self.port}", token=self.token, timeout=SECONDS)

    def cpu(self, word: str) -> float:
        """Seconds of CPU of the part whose command line holds `word`, its children's not."""
        return sum(_cpu(pid) for pid in _pids(self.home) if word in _command(pid))


@contextmanager
def running(work: Path, data: Path, bucket: Bucket, **more: str) -> Iterator[Service]:
    """In a copy of this tree below `work`, backing `data` up into `bucket`, whole each time."""
    home, token, (port,) = work / "tarkeep", secrets.token_hex(32), free_ports(1)
    _copy(home)
    given = {
        "BACKUP_S3_BUCKET": bucket.name, "BACKUP_S3_ENDPOINT": bucket.endpoint,
        "BACKUP_S3_ACCESS_KEY": bucket.access_key, "BACKUP_S3_SECRET_KEY": bucket.secret_key,
        "BACKUP_DATA_DIR": str(data), "BACKUP_FULL_EVERY": "1", "BACKUP_MAX_BACKUPS": "1",
        "BACKUP_API_TOKEN": token, "TARKEEP_API_RATE": "0", "PORT": str(port), **more,
    }  # fmt: skip
    process = _start(home, given)
    try:
        _wait(home)
        yield Service(home, port, process, token)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS)


def _copy(home: Path) -> None:
    home.mkdir(parents=True)
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, home / name)


def _start(home: Path, given: Mapping[str, str]) -> subprocess.Popen[bytes]:
    ours = ("BACKUP_", "TARKEEP_", "DJANGO_", "DATABASE_URL", "REDIS_URL")
    rest = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    with (home / "screen.txt").open("wb") as screen:
        return subprocess.Popen(
            [sys.executable, "-m", "launcher"],
            cwd=home,
            env=rest | given,
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait(home: Path) -> None:
    until = time.monotonic() + SECONDS
    while "Tarkeep runs." not in (text := (home / "screen.txt").read_text(errors="replace")):
        if time.monotonic() > until:
            raise TimeoutError(text)
        time.sleep(0.2)


def _pids(home: Path) -> list[int]:
    """Processes that work in that folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink() == home:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _cpu(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
