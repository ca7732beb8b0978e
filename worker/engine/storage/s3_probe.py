"""Finds out by trying what a bucket's server can do. Costs some 30 MiB of traffic.

Test objects lie below the prefix under names of their own and are deleted at the end; what a
probe that dies leaves is the janitor's. Trouble with network, keys or bucket and a server that
is too busy are raised, so that they are never taken for a missing ability.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import StorageError
from worker.engine.naming import probe_prefix
from worker.engine.storage.capabilities import Capabilities
from worker.engine.storage.provider import guess
from worker.engine.storage.s3 import S3Storage
from worker.engine.storage.s3_client import Patience, make_client
from worker.engine.storage.s3_errors import server_code, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024 * 1024
PART_SIZES = (5 * MIB, 64 * MIB)
_FATAL = {
    "STORAGE_UNREACHABLE",
    "STORAGE_CREDENTIALS",
    "STORAGE_BUCKET_MISSING",
    "STORAGE_CLOCK_SKEW",
}
_BUSY = {"SlowDown", "ServiceUnavailable", "RequestTimeout", "Throttling", "TooManyRequests"}


class Probe:
    """One run of all trials. Use as a context manager: leaving it removes the test objects."""

    def __init__(self, config: StorageConfig, plan: PlanConfig) -> None:
        # Neither lock nor class: what is tried out must be removable at once.
        self._config = replace(config, object_lock_days=0, storage_class="")
        patience = Patience(attempts=3, seconds=0)
        self._client = make_client(self._config, concurrency=2, patience=patience)
        self._storage = S3Storage(self._client, self._config, patience)
        self._start = f"{probe_prefix(plan)}{secrets.token_hex(8)}-"
        self._made: set[str] = set()

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *exc: object) -> None:
        for key in self._made:
            with suppress(StorageError):
                self._storage.delete(key)
            with suppress(StorageError):
                self._forget(key)

    def run(self) -> Capabilities:
        """All trials, one after another. `StorageError` when the bucket cannot be worked with."""
        provider, skew = self._greet()
        min_part, equal = self._part_rules()
        copies, matched = self._copying(min_part) if min_part else (False, False)
        return Capabilities(
            provider=provider,
            multipart=bool(min_part),
            min_part=min_part,
            equal_parts=equal,
            range_copy=copies,
            copy_if_match=matched,
            conditional_put=self._conditional_put(),
            checks_md5=self._refuses(ContentMD5=b64encode(bytes(16)).decode()),
            checks_sha256=self._refuses(ChecksumSHA256=b64encode(bytes(32)).decode()),
            trailers=self._trailers(),
            versioning=self._asks(self._versioning),
            object_lock=self._asks(self._object_lock),
            skew_seconds=skew,
        )

    def read_back(self) -> bool:
        """Whether an object comes back byte for byte: some servers store framing inside."""
        content = os.urandom(100_003)
        self._storage.put(self._key("echo"), content)
        return self._storage.get_bytes(self._key("echo"), limit=MIB) == content

    def delete(self) -> None:
        """Try to delete what `read_back` has written. `StorageError` when that is denied."""
        self._storage.delete(self._key("echo"))

    def _greet(self) -> tuple[str, float]:
        """The provider's name, and how many seconds its clock is ahead."""
        with translated(self._config):
            answer = self._client.list_objects_v2(
                Bucket=self._config.bucket, Prefix=self._start, MaxKeys=1
            )
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        skew = 0.0
        if "date" in headers:
            theirs = parsedate_to_datetime(headers["date"])
            skew = round((theirs - datetime.now(UTC)).total_seconds(), 1)
        return guess(self._config.endpoint, headers), skew

    def _part_rules(self) -> tuple[int, bool]:
        """The smallest part that is taken (0: none at all), and whether all must be equal."""
        for size in PART_SIZES:
            if self._takes_parts("unequal", size + MIB, size):
                return size, False
            if self._takes_parts("equal", size, size):
                return size, True
        return 0, True

    def _takes_parts(self, name: str, *sizes: int) -> bool:
        def send() -> None:
            with self._storage.start_upload(self._key(name)) as upload:
                for number, size in enumerate((*sizes, 1), start=1):
                    upload.send_part(number, bytes(size))
                upload.complete()

        return self._asks(send)

    def _copying(self, size: int) -> tuple[bool, bool]:
        """Whether parts are copied byte for byte, and whether a replaced source is refused."""
        content = os.urandom(size + MIB)
        source = self._key("source")
        etag = self._storage.put(source, content).etag
        copies = self._asks(lambda: self._copy(source, etag, size))
        whole = copies and self._read("copied") == content[1 : size + 1] + content[-MIB:]
        other = hashlib.md5(etag.encode(), usedforsecurity=False).hexdigest()
        return whole, whole and self._notices_change(source, other)

    def _copy(self, source: str, etag: str, size: int) -> None:
        end = size + MIB - 1
        with self._storage.start_upload(self._key("copied")) as upload:
            upload.copy_part(1, source, etag=etag, first=1, last=size)
            upload.copy_part(2, source, etag=etag, first=end - MIB + 1, last=end)
            upload.complete()

    def _notices_change(self, source: str, stale: str) -> bool:
        """Whether a copy from what is said to be another object is refused."""
        try:
            with self._storage.start_upload(self._key("copied")) as upload:
                upload.copy_part(1, source, etag=stale, first=0, last=0)
        except StorageError as error:
            return error.code == "STORAGE_OBJECT_CHANGED"
        return False

    def _read(self, name: str) -> bytes:
        return self._storage.get_bytes(self._key(name), limit=128 * MIB)

    def _conditional_put(self) -> bool:
        """Whether a put that must not overwrite is refused where there is something."""
        self._storage.put(self._key("present"), b"first")
        self._asks(lambda: self._put(self._client, "present", b"second", IfNoneMatch="*"))
        return self._read("present") == b"first"

    def _refuses(self, **checksum: str) -> bool:
        """Whether a body that does not fit its checksum is refused."""
        return not self._asks(lambda: self._put(self._client, "checksum", b"content", **checksum))

    def _trailers(self) -> bool:
        """Whether the SDKs' default checksums are taken, and leave the content as it was."""
        client = make_client(
            self._config, concurrency=1, patience=Patience(3, 0), default_checksums=True
        )
        content = os.urandom(MIB)
        taken = self._asks(lambda: self._put(client, "trailer", content, ChecksumAlgorithm="CRC32"))
        return taken and self._read("trailer") == content

    def _versioning(self) -> bool:
        with translated(self._config):
            answer = self._client.get_bucket_versioning(Bucket=self._config.bucket)
        return answer.get("Status") == "Enabled"

    def _object_lock(self) -> bool:
        with translated(self._config):
            answer = self._client.get_object_lock_configuration(Bucket=self._config.bucket)
        found = answer.get("ObjectLockConfiguration", {})
        return found.get("ObjectLockEnabled") == "Enabled"

    def _put(self, client: S3Client, name: str, body: bytes, **options: Any) -> None:
        key = self._key(name)
        with translated(self._config, key):
            client.put_object(Bucket=self._config.bucket, Key=key, Body=body, **options)

    def _asks(self, trial: Callable[[], bool | None]) -> bool:
        """What the trial gives, or whether it went through; False when the server refuses."""
        try:
            return trial() is not False
        except StorageError as error:
            if error.code in _FATAL or server_code(error) in _BUSY:
                raise
            return False

    def _key(self, name: str) -> str:
        self._made.add(self._start + name)
        return self._start + name

    def _forget(self, key: str) -> None:
        """Delete all versions, where deleting only hides."""
        with translated(self._config):
            answer = self._client.list_object_versions(Bucket=self._config.bucket, Prefix=key)
            for one in (*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())):
                self._client.delete_object(
                    Bucket=self._config.bucket, Key=key, VersionId=one["VersionId"]
                )
