"""A real Celery worker in processes of its own, on the test's database, Redis and bucket."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

from tests.settings import DATABASE_CHOICE
from worker.engine.settings import Settings

JOBS = "-A worker.app worker -Q backup -c 1 -n jobs@test --without-gossip"
CONTROL = "-A worker.app worker -Q control -P solo -c 1 -n control@test --without-gossip"
ROOT = Path(__file__).parents[2]


def environment(settings: Settings, *, redis_url: str) -> dict[str, str]:
    """What a process needs to work with the same service as the test."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "backup_project.settings",
        "DATABASE_URL": _database_url(),
        "REDIS_URL": redis_url,
        "BACKUP_S3_BUCKET": settings.storage.bucket,
        "BACKUP_S3_ACCESS_KEY": settings.storage.access_key,
        "BACKUP_S3_SECRET_KEY": settings.storage.secret_key,
        "BACKUP_S3_ENDPOINT": settings.storage.endpoint,
        "BACKUP_DATA_DIR": str(settings.plan.data_dir),
        "BACKUP_TEMP_DIR": str(settings.plan.temp_dir),
        "LOGS_PATH": str(settings.plan.temp_dir / "logs"),
    }


def _database_url() -> str:
    """The database that Django made for this run."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(DATABASE_CHOICE.url)._replace(path=f"/{name}").geturl()


@dataclass
class Worker:
    """Leads a process group, as under every process manager."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls, environment: dict[str, str], options: str = JOBS, before: Sequence[str] = ()
    ) -> Worker:
        """`before`: the words of a command that runs the rest."""
        command = [*before, sys.executable, "-m", "celery", *options.split()]
        return cls(subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True))

    def signal_group(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    def signal_main(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Its exit code, after at most a minute."""
        return self.process.wait(60)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.signal_group(signal.SIGKILL)
            self.process.wait(60)
