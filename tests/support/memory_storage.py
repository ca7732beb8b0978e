"""A bucket in memory. It passes the contract suite that real servers pass."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from worker.engine.storage import NotFound, Storage, StoredObject, TooLarge

CHUNK = 1024 * 1024


class MemoryStorage(Storage):
    """`objects` holds what is published, `uploads` what is begun and neither done nor aborted.

    `deleted` is the order in which keys were deleted.
    """

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, StoredObject]] = {}
        self.uploads: dict[str, MemoryUpload] = {}
        self.deleted: list[str] = []
        self._numbers = count(1)

    def check(self) -> None:
        """Memory is always there."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        yield from [found for key, (_, found) in self.objects.items() if key.startswith(prefix)]

    def head(self, key: str) -> StoredObject:
        return self._find(key)[1]

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        content = self._find(key)[0]
        # A range that ends before it starts is empty; a slice would do the same.
        wanted = memoryview(content)[start:end]
        for position in range(0, len(wanted), CHUNK):
            yield bytes(wanted[position : position + CHUNK])

    def get_bytes(self, key: str, *, limit: int) -> bytes:
        content = self._find(key)[0]
        if len(content) > limit:
            raise TooLarge(f"The object {key!r} is larger than {limit} bytes")
        return content

    def put(
        self, key: str, data: bytes, *, content_type: str = "application/octet-stream"
    ) -> StoredObject:
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        found = StoredObject(key, len(data), datetime.now(UTC), etag)
        self.objects[key] = (bytes(data), found)
        return found

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)
        self.deleted.append(key)

    def start_upload(self, key: str, *, metadata: dict[str, str] | None = None) -> MemoryUpload:
        upload = MemoryUpload(self, key, f"upload-{next(self._numbers)}", metadata or {})
        self.uploads[upload.upload_id] = upload
        return upload

    def abort_upload(self, key: str, upload_id: str) -> None:
        self.uploads.pop(upload_id, None)

    def _find(self, key: str) -> tuple[bytes, StoredObject]:
        try:
            return self.objects[key]
        except KeyError as error:
            raise NotFound(f"There is no object {key!r}") from error


@dataclass
class MemoryUpload:
    storage: MemoryStorage
    key: str
    upload_id: str
    metadata: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None:
        with self._lock:
            self.parts[number] = bytes(data)

    def complete(self) -> StoredObject:
        if not self.parts or sorted(self.parts) != list(range(1, len(self.parts) + 1)):
            raise ValueError("parts are missing")
        if self.storage.uploads.pop(self.upload_id, None) is None:
            raise NotFound(f"The upload of {self.key!r} was aborted")
        return self.storage.put(self.key, b"".join(self.parts[n] for n in sorted(self.parts)))

    def abort(self) -> None:
        self.storage.abort_upload(self.key, self.upload_id)

    def __enter__(self) -> MemoryUpload:
        return self

    def __exit__(self, *exc: object) -> None:
        self.abort()
