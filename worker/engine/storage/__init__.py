"""The contract of a bucket. `s3.py` keeps it against real servers.

- Keys are whole object keys, prefix included.
- `list` gives every key under a prefix, however many, in no promised order.
- Nothing becomes visible by being closed: an `Upload` is published by `complete` alone, and
  leaving its `with` block without that aborts it.
- `get` streams; a range is half open, as in Python: [start, end).
- Errors are `StorageError` (codes STORAGE_UNREACHABLE, STORAGE_DENIED, STORAGE_CREDENTIALS,
  STORAGE_BUCKET_MISSING, STORAGE_CLOCK_SKEW, STORAGE_FAILED), `NotFound` for a missing key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from worker.engine.errors import StorageError


class NotFound(StorageError):
    default_code = "STORAGE_KEY_MISSING"


class TooLarge(StorageError):
    """`get_bytes` met an object beyond its limit."""


@dataclass(frozen=True)
class StoredObject:
    """`size` in bytes, `modified` aware UTC, `etag` without quotes."""

    key: str
    size: int
    modified: datetime
    etag: str = ""


class Upload(Protocol):
    """One multipart upload. Parts are numbered from 1, may be sent from several threads."""

    upload_id: str

    def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None: ...

    def complete(self) -> StoredObject:
        """Publish the object from the parts sent, and check by HEAD that it is there."""
        ...

    def abort(self) -> None:
        """Throw the parts away. Safe to call twice, and after `complete` (does nothing)."""
        ...

    def __enter__(self) -> Upload: ...

    def __exit__(self, *exc: object) -> None: ...


class Storage(Protocol):
    def check(self) -> None:
        """Raise the `StorageError` that says what is wrong with bucket, keys or connection."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]: ...

    def head(self, key: str) -> StoredObject: ...

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Chunks of the object, or of its bytes [start, end). Resumes after broken reads.

        A negative `start` counts from the end, as in a slice.
        """
        ...

    def get_bytes(self, key: str, *, limit: int) -> bytes:
        """A whole small object; `TooLarge` when it has more than `limit` bytes."""
        ...

    def put(self, key: str, data: bytes, *, content_type: str = ...) -> StoredObject: ...

    def delete(self, key: str) -> None:
        """Remove; an absent key is success."""
        ...

    def start_upload(self, key: str, *, metadata: dict[str, str] | None = None) -> Upload: ...

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Abort an upload begun by another run; an absent one is success."""
        ...
