"""Tarkeep by its own command line: the whole engine in one process, its start included."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote

from bench.measure import Command
from bench.peers import PASSPHRASE, Place

_ROOT = Path(__file__).resolve().parents[2]
_PYTHON = f"exec {quote(sys.executable)}"
_LONG = 3600  # seconds; the idle process is ended long before


class Tarkeep:
    """`stopping`: with an instance to stop, which takes no time in itself."""

    def __init__(self, level: int, *, stopping: bool = False) -> None:
        self.name = f"Tarkeep, level {level}"
        self._level, self._stopping = level, stopping

    def missing(self) -> str:
        return ""

    def version(self) -> Command:
        return Command(f"{_PYTHON} -m worker.engine.cli --version", {"PYTHONPATH": str(_ROOT)})

    def prepare(self, place: Place) -> None:
        return None

    def idle(self, place: Place) -> Command:
        """What a worker has loaded when it waits for work: the engine and an open bucket."""
        program = (
            "import time, worker.engine.cli; from worker.engine.settings import read_settings; "
            "from worker.engine.storage.s3 import open_storage; "
            f"open_storage(read_settings().storage); time.sleep({_LONG})"
        )
        return Command(f"{_PYTHON} -c {quote(program)}", self._env(place), place.work)

    def backup(self, place: Place, data: Path) -> Command:
        return self._command(place, "backup --quiet", data)

    def restore(self, place: Place, target: Path) -> Command:
        return self._command(place, "restore latest --yes --quiet", target)

    def fetch(self, place: Place, path: str, target: Path) -> Command:
        task = f"get latest {quote(path)} --output {quote(str(target))} --quiet"
        return self._command(place, task, place.work)

    def _command(self, place: Place, task: str, data: Path) -> Command:
        env = {**self._env(place), "BACKUP_DATA_DIR": str(data), **self._instance(place)}
        return Command(f"{_PYTHON} -m worker.engine.cli {task}", env, place.work)

    def _instance(self, place: Place) -> dict[str, str]:
        """An instance that runs while a file does not exist."""
        if not self._stopping:
            return {}
        mark = quote(str(place.work / "stopped"))
        return {
            "BACKUP_STOP_INSTANCES": "true",
            "BACKUP_INSTANCE_DRIVER": "command",
            "BACKUP_INSTANCE_STOP_COMMAND": f"touch {mark}",
            "BACKUP_INSTANCE_START_COMMAND": f"rm {mark}",
            "BACKUP_INSTANCE_STATUS_COMMAND": f"test ! -e {mark}",
        }

    def _env(self, place: Place) -> dict[str, str]:
        return {
            "PYTHONPATH": str(_ROOT),
            "PYTHONDONTWRITEBYTECODE": "",  # as anywhere else: compiled once, not at each start
            "BACKUP_S3_BUCKET": place.bucket.name,
            "BACKUP_S3_ENDPOINT": place.bucket.endpoint,
            "BACKUP_S3_ACCESS_KEY": place.bucket.access_key,
            "BACKUP_S3_SECRET_KEY": place.bucket.secret_key,
            "BACKUP_ENCRYPTION_KEY": PASSPHRASE,
            "BACKUP_COMPRESSION_LEVEL": str(self._level),
            "BACKUP_TEMP_DIR": str(place.work / "temp"),
        }
