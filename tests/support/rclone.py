"""`rclone serve s3` over a folder: a second S3 server, with manners of its own."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from launcher.ports import LOOPBACK, free_ports
from launcher.server import Command, ServerProcess, on_other_ports
from tests.support.s3client import s3_client
from worker.engine.config import StorageConfig


class RcloneS3:
    """A running server. Buckets are folders under `directory`."""

    def __init__(self, directory: Path) -> None:
        self._buckets = directory / "buckets"
        self._buckets.mkdir(parents=True)
        self._access_key, self._secret_key = secrets.token_hex(10), secrets.token_hex(20)
        self._process = on_other_ports(lambda: self._start(directory))

    def _start(self, directory: Path) -> ServerProcess:
        self._endpoint = f"http://{LOOPBACK}:{free_ports(1)[0]}"
        process = ServerProcess(self._command(directory))
        process.wait_ready(self._answers, limit=60)
        return process

    def new_bucket(self, name: str) -> StorageConfig:
        config = self._config(name)
        s3_client(config).create_bucket(Bucket=name)
        return config

    def stop(self) -> None:
        self._process.stop()

    def _command(self, directory: Path) -> Command:
        executable = Path(sys.executable).with_name("rclone")
        address = self._endpoint.removeprefix("http://")
        argv = [str(executable), "serve", "s3", str(self._buckets), "--addr", address]
        keys = f'"{self._access_key},{self._secret_key}"'  # one pair: a list is parsed as CSV
        env = {"RCLONE_AUTH_KEY": keys, "RCLONE_CONFIG": "/dev/null"}
        return Command("rclone", argv, directory, directory / "rclone.log", env)

    def _config(self, bucket: str) -> StorageConfig:
        return StorageConfig(
            bucket=bucket,
            access_key=self._access_key,
            secret_key=self._secret_key,
            endpoint=self._endpoint,
        )

    def _answers(self) -> bool:
        try:
            s3_client(self._config("any")).list_buckets()
        except Exception:  # noqa: BLE001 - whatever it is, the server is not up yet
            return False
        return True
