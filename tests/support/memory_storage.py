"""A bucket in memory. It passes the contract suite that real servers pass."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import NoReturn

from worker.engine.config import PlanConfig
from worker.engine.errors import StorageError
from worker.engine.storage import (
    MOST_PARTS,
    Abilities,
    NotFound,
    OpenUpload,
    Part,
    Storage,
    StoredObject,
    TooLarge,
    UploadGone,
)
from worker.engine.storage.guards import MD5, Guard

CHUNK = 1024 * 1024


class MemoryStorage(Storage):
    """`objects` holds what is published, `uploads_open` what is begun and neither done nor aborted.

    `deleted` is the order in which keys were deleted. `least_part`: bytes that every part of an
    upload but the last must have, as S3 has it.
    """

    max_parts = MOST_PARTS

    def __init__(self, *, least_part: int = 0) -> None:
        self.least_part = least_part
        self.objects: dict[str, tuple[bytes, StoredObject]] = {}
        self.uploads_open: dict[str, MemoryUpload] = {}
        self.deleted: list[str] = []
        self._numbers = count(1)

    def check(self, prefix: str = "") -> None:
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

    def put_new(
        self, key: str, data: bytes, *, content_type: str = "application/octet-stream"
    ) -> StoredObject:
        if key in self.objects:
            message = f"There is an object {key!r} already"
            raise StorageError(message, code="STORAGE_OBJECT_EXISTS")
        return self.put(key, data, content_type=content_type)

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)
        self.deleted.append(key)

    def start_upload(
        self, key: str, *, metadata: dict[str, str] | None = None, guard: Guard = MD5
    ) -> MemoryUpload:
        upload = MemoryUpload(self, key, f"upload-{next(self._numbers)}", metadata or {})
        self.uploads_open[upload.upload_id] = upload
        return upload

    def uploads(self, prefix: str) -> Iterator[OpenUpload]:
        for upload in list(self.uploads_open.values()):
            if upload.key.startswith(prefix):
                yield OpenUpload(upload.key, upload.upload_id, upload.begun)

    def upload_parts(self, key: str, upload_id: str) -> Iterator[Part]:
        upload = self._open(key, upload_id)
        for number, data in sorted(upload.parts.items()):
            etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
            yield Part(number, etag, len(data), upload.sent[number])

    def close_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> StoredObject:
        upload = self._open(key, upload_id)
        wanted = {part.number: part.etag for part in parts}
        there = {part.number: part.etag for part in self.upload_parts(key, upload_id)}
        if not wanted.items() <= there.items():
            raise StorageError(f"The upload of {key!r} has other parts")
        upload.parts = {number: upload.parts[number] for number in wanted}
        return upload.complete()

    def abort_upload(self, key: str, upload_id: str) -> None:
        self.uploads_open.pop(upload_id, None)

    def abilities(self, plan: PlanConfig) -> Abilities:
        return Abilities(copies=True, keeps_deleted=False)

    def guard_of_whole(self, plan: PlanConfig) -> Guard:
        return MD5

    def _open(self, key: str, upload_id: str) -> MemoryUpload:
        if upload := self.uploads_open.get(upload_id):
            return upload
        raise UploadGone(f"The upload of {key!r} is open no more")

    def _find(self, key: str) -> tuple[bytes, StoredObject]:
        return self.objects.get(key) or self.missing(key)

    def missing(self, key: str) -> NoReturn:
        raise NotFound(f"There is no object {key!r}")


@dataclass
class MemoryUpload:
    storage: MemoryStorage
    key: str
    upload_id: str
    metadata: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)
    sent: dict[int, datetime] = field(default_factory=dict)
    left_open: bool = False
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tell_checksums(self, told: Callable[[int, str], None]) -> None:
        """It takes none."""

    def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None:
        with self._lock:
            self.parts[number] = bytes(data)
            self.sent[number] = datetime.now(UTC)

    def copy_part(self, number: int, source: str, *, etag: str, first: int, last: int) -> Part:
        content, found = self.storage.objects.get(source) or self.storage.missing(source)
        if not 0 <= first <= last:
            raise ValueError(f"there are no bytes from {first} to {last}")
        if found.etag != etag:
            message = f"The object {source!r} was replaced"
            raise StorageError(message, code="STORAGE_OBJECT_CHANGED")
        if last >= len(content):
            raise StorageError(f"The object {source!r} has no byte {last}")
        self.send_part(number, content[first : last + 1])
        return Part(number, f"{etag}-{first}-{last}", last - first + 1)

    def complete(self) -> StoredObject:
        if not self.parts or sorted(self.parts) != list(range(1, len(self.parts) + 1)):
            raise ValueError("parts are missing")
        sizes = [len(self.parts[number]) for number in sorted(self.parts)]
        if any(size < self.storage.least_part for size in sizes[:-1]):
            raise StorageError("A part is too small, and is not the last one")
        if self.storage.uploads_open.pop(self.upload_id, None) is None:
            raise UploadGone(f"The upload of {self.key!r} was aborted")
        content = b"".join(self.parts[n] for n in sorted(self.parts))
        found = self.storage.put(self.key, content)
        marked = replace(found, metadata={"tarkeep-upload": self.upload_id, **self.metadata})
        self.storage.objects[self.key] = (content, marked)
        return marked

    def abort(self) -> None:
        self.storage.abort_upload(self.key, self.upload_id)

    @property
    def parts_done(self) -> int:
        return len(self.parts)

    def leave_open(self) -> None:
        self.left_open = True

    def __enter__(self) -> MemoryUpload:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self.left_open:
            self.abort()
