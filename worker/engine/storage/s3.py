"""A bucket of any S3-compatible server. The contract stands in `storage.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from worker.engine.config import StorageConfig
from worker.engine.storage import Storage, StoredObject, TooLarge
from worker.engine.storage.s3_client import Patience, make_client
from worker.engine.storage.s3_errors import not_s3, translated
from worker.engine.storage.s3_read import Download
from worker.engine.storage.s3_retry import Retry
from worker.engine.storage.s3_upload import S3Upload, abort_upload, content_md5, stored

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PATIENT = Patience()
IMPATIENT = Patience(attempts=1, seconds=0)  # for a person who waits for the answer


def open_storage(
    config: StorageConfig, *, concurrency: int = 4, patience: Patience = PATIENT
) -> S3Storage:
    """The bucket of `config`, for up to `concurrency` threads. Asks the server nothing yet."""
    client = make_client(config, concurrency=concurrency, patience=patience)
    return S3Storage(client, config, patience)


class S3Storage(Storage):
    def __init__(self, client: S3Client, config: StorageConfig, patience: Patience) -> None:
        self._client, self._config, self._patience = client, config, patience
        self._bucket = config.bucket

    def check(self) -> None:
        # A list and not HeadBucket: an answer to HEAD has no body to say what is wrong.
        with translated(self._config):
            answer = self._client.list_objects_v2(Bucket=self._bucket, MaxKeys=1)
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
        yield from Download(self._client, self._config, key, start, end).chunks(self._patience)

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
        Retry(self._patience).call(lambda: self._put(key, data, content_type))
        return self.head(key)

    def delete(self, key: str) -> None:
        Retry(self._patience).call(lambda: self._delete(key))

    def start_upload(self, key: str, *, metadata: dict[str, str] | None = None) -> S3Upload:
        return S3Upload(self._client, self._config, self._patience, key, metadata or {})

    def abort_upload(self, key: str, upload_id: str) -> None:
        abort_upload(self._client, self._config, key, upload_id)

    def _put(self, key: str, data: bytes, content_type: str) -> None:
        with translated(self._config, key):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=data,
                ContentType=content_type,
                ContentMD5=content_md5(data),
            )

    def _delete(self, key: str) -> None:
        with translated(self._config):
            self._client.delete_object(Bucket=self._bucket, Key=key)
