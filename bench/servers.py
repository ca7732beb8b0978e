"""The S3 server that all tools talk to, and buckets in it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from launcher.seaweed import start_seaweed

_MAX_VOLUMES = 5000
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Bucket:
    """One bucket and how to reach it; `endpoint` may be a counting proxy's."""

    name: str
    endpoint: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class Address:
    """Where a server answers, the keys that it knows, and its process."""

    endpoint: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    pid: int


class S3Server:
    def __init__(self, address: Address) -> None:
        self._address = address
        self.endpoint = address.endpoint
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=address.endpoint,
            aws_access_key_id=address.access_key,
            aws_secret_access_key=address.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    def new_bucket(self) -> Bucket:
        """Fresh and empty: nothing to find in it, no space to share."""
        name = f"bench-{next(_numbers):04}"
        self._client.create_bucket(Bucket=name)
        return Bucket(name, self.endpoint, self._address.access_key, self._address.secret_key)

    def stored(self, bucket: Bucket) -> int:
        """Bytes of all objects."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
        return sum(item["Size"] for page in pages for item in page.get("Contents", ()))

    def cpu(self) -> float:
        """Seconds of CPU, user and system, that the server took since its start: proc(5), stat."""
        stat = Path(f"/proc/{self._address.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def downtime(self, bucket: Bucket) -> float:
        """Seconds that instances were stopped, as the newest backup's metadata tells; or 0."""
        listed = self._client.list_objects_v2(Bucket=bucket.name).get("Contents", ())
        keys = [item["Key"] for item in listed if item["Key"].endswith(".metadata.json")]
        if not keys:
            return 0.0
        body = self._client.get_object(Bucket=bucket.name, Key=max(keys))["Body"].read()
        return float(json.loads(body).get("downtimeSeconds") or 0)

    def drop(self, bucket: Bucket) -> None:
        """The bucket with all that is in it (both servers free its space at once)."""
        self._client.delete_bucket(Bucket=bucket.name)


@contextmanager
def seaweed(folder: Path) -> Iterator[S3Server]:
    """SeaweedFS with its data below `folder`, as `make run` embeds it."""
    running = start_seaweed(folder, max_volumes=_MAX_VOLUMES)
    pid = running.process.pid
    try:
        yield S3Server(Address(running.endpoint, running.access_key, running.secret_key, pid))
    finally:
        running.stop()


@contextmanager
def lean(folder: Path) -> Iterator[S3Server]:
    """The server of `bench.lean`, which leaves the cores to the tools."""
    command = [sys.executable, "-m", "bench.lean", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield S3Server(Address(process.stdout.readline().strip(), "any", "any", process.pid))
        finally:
            process.kill()


SERVERS: dict[str, Callable[[Path], AbstractContextManager[S3Server]]] = {
    "seaweed": seaweed, "lean": lean,
}  # fmt: skip
