"""The parts of a whole service as processes of their own, on servers of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from launcher.valkey import start_valkey
from tests.soak.told import Size
from worker.engine.config import StorageConfig

ROOT = Path(__file__).parents[2]
QUIET = "--loglevel WARNING --without-gossip --without-mingle"
PARTS = {
    "jobs1": f"worker -Q backup -c 1 -n jobs1@%h {QUIET}",
    "jobs2": f"worker -Q backup -c 1 -n jobs2@%h {QUIET}",
    "control": f"worker -Q control -P solo -c 1 -n control@%h {QUIET}",
    "beat": "beat --pidfile= --loglevel WARNING --schedule beat-schedule",
}
WORKERS = ("jobs1", "jobs2")


@dataclass
class Service:
    """Two workers, control and beat. `environment` is what they and the watcher run with."""

    folder: Path
    bucket: StorageConfig
    database_url: str
    more: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data = self.folder / "data"
        self.data.mkdir(parents=True)
        self.redis = start_valkey(self.folder / "valkey")
        self.environment = {
            "DJANGO_SETTINGS_MODULE": "backup_project.settings",
            "TARKEEP_SECRET_KEY": "only-for-this-soak-" + "x" * 40,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis.url,
            "BACKUP_S3_BUCKET": self.bucket.bucket,
            "BACKUP_S3_ACCESS_KEY": self.bucket.access_key,
            "BACKUP_S3_SECRET_KEY": self.bucket.secret_key,
            "BACKUP_S3_ENDPOINT": self.bucket.endpoint,
            "BACKUP_DATA_DIR": str(self.data),
            "BACKUP_TEMP_DIR": str(self.folder / "temp"),
            "LOGS_PATH": str(self.folder / "logs"),
            **self.more,
        }

    def start(self, *names: str) -> None:
        for name in names or PARTS:
            command = [sys.executable, "-m", "celery", "-A", "worker.app", *PARTS[name].split()]
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    command,
                    env=os.environ | self.environment | {"PYTHONPATH": str(ROOT)},
                    cwd=self.folder,
                    start_new_session=True,
                    stdout=log,
                    stderr=log,
                )

    def strike(self, name: str, number: signal.Signals) -> None:
        """The whole group, as a power cut or a process manager does; then it is started again."""
        with suppress(ProcessLookupError):
            os.killpg(self.running[name].pid, number)
        self.running[name].wait(90)
        self.start(name)

    def owner_of(self, pid: int) -> str:
        """Which part the process belongs to."""
        group = os.getpgid(pid)
        return next(name for name, one in self.running.items() if one.pid == group)

    def restart_redis(self, *, forget: bool) -> None:
        """SIGKILL, and up again at the same address; with `forget` without all it knew."""
        self.redis.process.process.kill()
        self.redis.process.process.wait(30)
        if forget:
            for file in (self.folder / "valkey").glob("*.rdb"):
                file.unlink()
            shutil.rmtree(self.folder / "valkey" / "appendonlydir", ignore_errors=True)
        self.redis = start_valkey(self.folder / "valkey", port=self.redis.port)

    def sizes(self) -> dict[str, Size]:
        return {name: Size.of(one.pid) for name, one in self.running.items()}

    def stop(self) -> None:
        for one in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGKILL)
            one.wait(30)
        self.redis.stop()
