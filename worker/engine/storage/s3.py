"""A bucket of any S3-compatible server. The contract stands in `storage.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import StorageError
from worker.engine.storage import (
    Abilities,
    NotFound,
    OpenUpload,
    Part,
    Storage,
    StoredObject,
    TooLarge,
    UploadGone,
)
from worker.engine.storage.abilities import find_out
from worker.engine.storage.bandwidth import Bandwidth
from worker.engine.storage.crc_trial import checks_crc32
from worker.engine.storage.guards import MD5, Crc32, Guard, content_md5
from worker.engine.storage.provider import max_parts
from worker.engine.storage.s3_client import Patience, make_client
from worker.engine.storage.s3_errors import S3Error, exists_already, not_s3, server_code, translated
from worker.engine.storage.s3_options import writing
from worker.engine.storage.s3_read import Download
from worker.engine.storage.s3_retry import Retry, unheard
from worker.engine.storage.s3_upload import (
    S3Upload,
    abort_upload,
    ask_to_complete,
    completed,
    stored,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PATIENT = Patience()
NO_CONDITIONS = {"NotImplemented", "501"}
CONDITION_CODES = {"PreconditionFailed", "412", "ConditionalRequestConflict", *NO_CONDITIONS}
IMPATIENT = Patience(attempts=1, seconds=0)
BRIEF = Patience(attempts=2, seconds=0, connect=5, read=20)  # somebody waits, or will ask again


def open_storage(
    config: StorageConfig,
    *,
    concurrency: int = 4,
    patience: Patience = PATIENT,
    pulse: Callable[[], None] = unheard,
    check: Callable[[], None] = unheard,
) -> S3Storage:
    """The bucket of `config`, for up to `concurrency` threads. Asks the server nothing yet.

    `pulse` is called, from any thread, whenever some bytes of a part or a download have passed;
    `check` then and while a request waits to be asked again, and what it raises is passed on.
    """
    client = make_client(config, concurrency=concurrency, patience=patience)
    return S3Storage(client, config, patience, pulse, check)


class S3Storage(Storage):
    def __init__(
        self,
        client: S3Client,
        config: StorageConfig,
        patience: Patience,
        pulse: Callable[[], None] = unheard,
        check: Callable[[], None] = unheard,
    ) -> None:
        self._client, self._config, self._patience = client, config, patience
        self._pulse, self._check = pulse, check
        self.max_parts = max_parts(config.endpoint)
        self._bucket = config.bucket
        self._bandwidth = Bandwidth(config.upload_limit) if config.upload_limit else None

    def check(self, prefix: str = "") -> None:
        # A list and not HeadBucket: an answer to HEAD has no body to say what is wrong.
        with translated(self._config):
            answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=1)
        if "IsTruncated" not in answer:  # botocore takes any XML for an answer, a page too
            raise not_s3(self._config)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        pages = self._client.get_paginator("list_objects_v2")
        with translated(self._config):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    etag = item.get("ETag", "").strip('"')
                    yield StoredObject(item["Key"], item["Size"], item["LastModified"], etag)

    def head(self, key: str) -> StoredObject:
        with translated(self._config, key):
            return stored(key, self._client.head_object(Bucket=self._bucket, Key=key))

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        if start < 0:
            start = max(0, self.head(key).size + start)
        download = Download(self._client, self._config, key, start, end)
        for chunk in download.chunks(self._retry()):
            self._pulse()
            self._check()
            yield chunk

    def get_bytes(self, key: str, *, limit: int) -> bytes:
        content = bytearray()
        for chunk in self.get(key, 0, limit + 1):
            content += chunk
        if len(content) > limit:
            raise TooLarge(f"The object {key!r} is larger than {limit} bytes")
        return bytes(content)

    def put(
        self, key: str, data: bytes, *, content_type: str = "application/octet-stream"
    ) -> StoredObject:
        self._retry().call(lambda: self._put(key, data, content_type))
        return self._look(key)

    def put_new(
        self, key: str, data: bytes, *, content_type: str = "application/octet-stream"
    ) -> StoredObject:
        if self._holds(key):
            raise exists_already(key)
        try:
            put = partial(self._put, key, data, content_type, IfNoneMatch="*")
            self._retry().call(put)
        except StorageError as error:
            if server_code(error) not in CONDITION_CODES:
                raise
            if server_code(error) in NO_CONDITIONS:
                return self.put(key, data, content_type=content_type)
            # Ours, perhaps: the answer to the first try may have got lost.
            if self.get_bytes(key, limit=len(data) + 1) != data:
                raise exists_already(key) from error
        return self._look(key)

    def delete(self, key: str) -> None:
        self._retry().call(lambda: self._delete(key))

    def start_upload(
        self, key: str, *, metadata: dict[str, str] | None = None, guard: Guard = MD5
    ) -> S3Upload:
        return S3Upload(
            self._client,
            self._config,
            self._patience,
            key,
            metadata or {},
            guard,
            self._bandwidth,
            self._pulse,
            self._check,
        )

    def uploads(self, prefix: str) -> Iterator[OpenUpload]:
        pages = self._client.get_paginator("list_multipart_uploads")
        try:
            with translated(self._config):
                for page in pages.paginate(Bucket=self._bucket, Prefix=prefix):
                    for item in page.get("Uploads", ()):
                        yield OpenUpload(item["Key"], item["UploadId"], item["Initiated"])
        except UploadGone:  # what rclone's server says of a bucket that never had one
            return

    def upload_parts(self, key: str, upload_id: str) -> Iterator[Part]:
        pages = self._client.get_paginator("list_parts")
        with translated(self._config, key):
            for page in pages.paginate(Bucket=self._bucket, Key=key, UploadId=upload_id):
                for item in page.get("Parts", ()):
                    etag = item.get("ETag", "").strip('"')
                    when, crc32 = item.get("LastModified"), item.get("ChecksumCRC32", "")
                    yield Part(item["PartNumber"], etag, item["Size"], when, crc32)

    def close_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> StoredObject:
        told = {part.number: completed(f'"{part.etag}"', part.crc32) for part in parts}
        ask_to_complete(self._client, self._config, key, upload_id, told)
        found, size = self.head(key), sum(part.size for part in parts)
        if found.size != size:
            message = f"S3 stored {found.size} bytes of {key!r}, its parts have {size}"
            raise S3Error(message, hint="All is sent again.")
        return found

    def abort_upload(self, key: str, upload_id: str) -> None:
        abort_upload(self._client, self._config, key, upload_id)

    def abilities(self, plan: PlanConfig) -> Abilities:
        return find_out(self._for_trials(), plan, self._config)

    def guard_of_whole(self, plan: PlanConfig) -> Guard:
        return Crc32() if checks_crc32(self._for_trials(), plan, self._config) else MD5

    def _for_trials(self) -> S3Storage:
        # Neither lock nor class: what is tried out must be removable at once.
        plain = replace(self._config, object_lock_days=0, storage_class="")
        return S3Storage(self._client, plain, IMPATIENT, self._pulse)

    def _retry(self) -> Retry:
        return Retry(self._patience, check=self._check)

    def _look(self, key: str) -> StoredObject:
        """What was put: a bad moment now must not make a failure of it."""
        return self._retry().call(lambda: self.head(key))

    def _holds(self, key: str) -> bool:
        try:
            self.head(key)
        except NotFound:
            return False
        return True

    def _put(self, key: str, data: bytes, content_type: str, **condition: str) -> None:
        with translated(self._config, key):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=data,
                ContentType=content_type,
                ContentMD5=content_md5(data),
                **writing(self._config),
                **condition,  # type: ignore[arg-type]
            )

    def _delete(self, key: str) -> None:
        with suppress(NotFound), translated(self._config, key):
            self._client.delete_object(Bucket=self._bucket, Key=key)
