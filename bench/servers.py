"""The S3 server that all tools talk to, and buckets in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from launcher.seaweed import RunningS3, start_seaweed

_MAX_VOLUMES = 5000
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Bucket:
    """One bucket and how to reach it; `endpoint` may be a counting proxy's."""

    name: str
    endpoint: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


class S3Server:
    def __init__(self, running: RunningS3) -> None:
        self._running = running
        self.endpoint = running.endpoint
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=running.endpoint,
            aws_access_key_id=running.access_key,
            aws_secret_access_key=running.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    def new_bucket(self) -> Bucket:
        """Fresh and empty: nothing to find in it, no space to share."""
        name = f"bench-{next(_numbers):04}"
        self._client.create_bucket(Bucket=name)
        return Bucket(name, self.endpoint, self._running.access_key, self._running.secret_key)

    def stored(self, bucket: Bucket) -> int:
        """Bytes of all objects."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
        return sum(item["Size"] for page in pages for item in page.get("Contents", ()))

    def drop(self, bucket: Bucket) -> None:
        """The bucket with all that is in it (SeaweedFS frees its volumes at once)."""
        self._client.delete_bucket(Bucket=bucket.name)


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """SeaweedFS with its data below `folder`, as `make run` embeds it."""
    running = start_seaweed(folder, max_volumes=_MAX_VOLUMES)
    try:
        yield S3Server(running)
    finally:
        running.stop()
