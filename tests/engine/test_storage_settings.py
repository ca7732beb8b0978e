"""The bucket's settings: what is read, what is refused, and what becomes of it in requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.s3client import s3_client
from worker.engine.config import StorageConfig
from worker.engine.settings import read_settings
from worker.engine.storage.s3 import open_storage
from worker.engine.storage.s3_options import uploading, writing

BASE = {
    "BACKUP_S3_BUCKET": "bucket",
    "BACKUP_S3_ACCESS_KEY": "key",
    "BACKUP_S3_SECRET_KEY": "secret",
}


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("BACKUP_UPLOAD_LIMIT", "2M", "upload_limit", 2 * 1024**2),
        ("BACKUP_UPLOAD_LIMIT", "500k", "upload_limit", 500 * 1024),
        ("BACKUP_UPLOAD_LIMIT", "16384", "upload_limit", 16_384),
        ("BACKUP_UPLOAD_LIMIT", "0", "upload_limit", 0),
        ("BACKUP_S3_SSE", "none", "sse", ""),
        ("BACKUP_S3_SSE", "aws:kms:key/1", "sse", "aws:kms:key/1"),
        ("BACKUP_S3_STORAGE_CLASS", "GLACIER_IR", "storage_class", "GLACIER_IR"),
        ("BACKUP_S3_ADDRESSING", "virtual", "addressing", "virtual"),
        ("BACKUP_S3_OBJECT_LOCK_DAYS", "30", "object_lock_days", 30),
    ],
)
def test_each_setting_reaches_the_storage(
    tmp_path: Path, name: str, value: str, field: str, expected: object
) -> None:
    settings = read_settings({**BASE, name: value}, base_dir=tmp_path)
    assert settings.problems == ()
    assert getattr(settings.storage, field) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKUP_UPLOAD_LIMIT", "1"),
        ("BACKUP_UPLOAD_LIMIT", "2 M"),
        ("BACKUP_UPLOAD_LIMIT", "-2M"),
        ("BACKUP_UPLOAD_LIMIT", "fast"),
        ("BACKUP_S3_SSE", "AES128"),
        ("BACKUP_S3_STORAGE_CLASS", "DEEP_ARCHIVE"),
        ("BACKUP_S3_STORAGE_CLASS", "standard ia"),
        ("BACKUP_S3_ADDRESSING", "dns"),
        ("BACKUP_S3_OBJECT_LOCK_DAYS", "-1"),
        ("BACKUP_S3_CA_BUNDLE", "./nowhere.pem"),
    ],
)
def test_an_odd_value_is_named(tmp_path: Path, name: str, value: str) -> None:
    (problem,) = read_settings({**BASE, name: value}, base_dir=tmp_path).problems
    assert problem.variable == name
    assert problem.hint


def test_encryption_class_and_lock_are_asked_for_where_they_belong() -> None:
    config = StorageConfig(
        "bucket", storage_class="STANDARD_IA", sse="aws:kms:key:1", object_lock_days=2
    )
    small, large = writing(config), uploading(config)
    assert large.pop("StorageClass") == "STANDARD_IA"
    assert "StorageClass" not in small
    for options in (small, large):
        until = options["ObjectLockRetainUntilDate"] - datetime.now(UTC)
        assert timedelta(days=1, hours=23) < until <= timedelta(days=2)
        assert options["ObjectLockMode"] == "GOVERNANCE"
        assert options["ServerSideEncryption"] == "aws:kms"
        assert options["SSEKMSKeyId"] == "key:1"
    assert writing(StorageConfig("bucket")) == uploading(StorageConfig("bucket")) == {}
    assert writing(StorageConfig("bucket", sse="AES256")) == {"ServerSideEncryption": "AES256"}


def test_the_storage_class_is_on_the_object(storage_config: StorageConfig) -> None:
    storage = open_storage(replace(storage_config, storage_class="STANDARD_IA"))
    with storage.start_upload("archive") as upload:
        upload.send_part(1, b"content")
        upload.complete()
    head = s3_client(storage_config).head_object(Bucket=storage_config.bucket, Key="archive")
    assert head.get("StorageClass") == "STANDARD_IA"


def test_addressing_decides_where_the_bucket_stands(storage_config: StorageConfig) -> None:
    open_storage(replace(storage_config, addressing="path")).check()
    open_storage(replace(storage_config, addressing="auto")).check()
    in_front = replace(storage_config, addressing="virtual", endpoint="https://s3.example.com")
    client = open_storage(in_front)._client
    url = client.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "key"})
    assert url.startswith("https://bucket.s3.example.com/key")
