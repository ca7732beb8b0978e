"""A storage that remembers what was asked of the one behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from worker.engine.storage import Storage, StoredObject


@dataclass
class CountingStorage:
    """`requests` are (method, key); `moved` the bytes that GETs gave."""

    inner: Storage
    requests: list[tuple[str, str]] = field(default_factory=list)
    moved: int = 0

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        self.requests.append(("get", key))
        for chunk in self.inner.get(key, start, end):
            self.moved += len(chunk)
            yield chunk

    def get_bytes(self, key: str, *, limit: int) -> bytes:
        self.requests.append(("get", key))
        return self.inner.get_bytes(key, limit=limit)

    def head(self, key: str) -> StoredObject:
        self.requests.append(("head", key))
        return self.inner.head(key)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)
