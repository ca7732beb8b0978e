"""The contract of a bucket. `s3.py` keeps it against real servers.

- Keys are whole object keys, prefix included.
- `list` gives every key under a prefix, however many, in no promised order.
- Nothing becomes visible by being closed: an `Upload` is published by `complete` alone, and
  leaving its `with` block without that aborts it.
- `get` streams; a range is half open, as in Python: [start, end).
- Errors are `StorageError` (codes STORAGE_UNREACHABLE, STORAGE_DENIED, STORAGE_CREDENTIALS,
  STORAGE_BUCKET_MISSING, STORAGE_CLOCK_SKEW, STORAGE_FAILED), `NotFound` for a missing key,
  `UploadGone` for an upload, STORAGE_NO_RANGE_COPY and STORAGE_OBJECT_CHANGED of `copy_part`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from worker.engine.config import PlanConfig
from worker.engine.errors import StorageError
from worker.engine.storage.guards import MD5, Guard

MOST_PARTS = 10_000  # of one upload; some providers take fewer


class NotFound(StorageError):
    default_code = "STORAGE_KEY_MISSING"


class UploadGone(NotFound):
    """The upload is open no more: it was completed, or aborted by somebody else."""

    default_code = "STORAGE_UPLOAD_GONE"
    passing = True


def never_came(error: StorageError) -> bool:
    """Whether the error says nothing of what the server is able to do."""
    return isinstance(error, UploadGone) or error.code == "STORAGE_UNREACHABLE"


class TooLarge(StorageError):
    """`get_bytes` met an object beyond its limit."""


@dataclass(frozen=True)
class StoredObject:
    """`size` in bytes, `modified` aware UTC, `etag` without quotes.

    `metadata`, names in lower case, is what the upload was given, `version` what a bucket with
    versions calls this one, empty elsewhere; only `head` and `put` tell them.
    """

    key: str
    size: int
    modified: datetime
    etag: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict, compare=False)
    version: str = field(default="", compare=False)


@dataclass(frozen=True)
class Part:
    """One part of an upload that the server has; `size` in bytes, `etag` without quotes."""

    number: int
    etag: str
    size: int
    modified: datetime | None = None
    crc32: str = ""  # in base64, where the upload was begun with that, and it is known


@dataclass(frozen=True)
class OpenUpload:
    """An upload begun, and neither completed nor aborted."""

    key: str
    upload_id: str
    begun: datetime


@dataclass(frozen=True)
class Abilities:
    """`copies`: parts of an upload may be copied from other objects, in any sizes.
    `keeps_deleted`: what is deleted goes on taking space, as it has versions or a lock."""

    copies: bool
    keeps_deleted: bool


class Upload(Protocol):
    """One multipart upload. Parts are numbered from 1, may be sent from several threads."""

    upload_id: str

    def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None: ...

    def tell_checksums(self, told: Callable[[int, str], None]) -> None:
        """From now on `told` gets number and CRC-32 (in base64) of each part before it is sent,
        where that guards them: another run has to know them to close the upload."""
        ...

    def copy_part(self, number: int, source: str, *, etag: str, first: int, last: int) -> Part:
        """A part from the bytes first..last (both counted in) of the object `source`.

        The server copies; nothing passes through here. `etag` is the source's as `head` or
        `complete` gave it: an object that is another one by now is refused (by servers that
        honour x-amz-copy-source-if-match; see `Capabilities.copy_if_match`).
        `StorageError`: STORAGE_NO_RANGE_COPY where the server cannot, STORAGE_OBJECT_CHANGED;
        `NotFound` for a missing source. After the last two the same part may be sent instead;
        after STORAGE_NO_RANGE_COPY begin another upload: some server now has an empty part.
        """
        ...

    def complete(self) -> StoredObject:
        """Publish the object from the parts sent, and check by HEAD that it is there."""
        ...

    def abort(self) -> None:
        """Throw the parts away. Safe to call twice, and after `complete` (does nothing)."""
        ...

    @property
    def parts_done(self) -> int:
        """How many parts the server has confirmed."""
        ...

    def leave_open(self) -> None:
        """Do not abort when the block ends: another run goes on from the parts sent."""
        ...

    def __enter__(self) -> Upload: ...

    def __exit__(self, *exc: object) -> None: ...


class Storage(Protocol):
    max_parts: int  # that one upload may have

    def check(self, prefix: str = "") -> None:
        """Raise the `StorageError` that says what is wrong with bucket, keys or connection.

        Lists below `prefix`, for keys that may see no more than that.
        """
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

    def put_new(self, key: str, data: bytes, *, content_type: str = ...) -> StoredObject:
        """A small object that must not replace another: STORAGE_OBJECT_EXISTS then.

        It is looked at first, for servers that ignore conditions; where they are honoured,
        nobody can come in between.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove; an absent key is success."""
        ...

    def start_upload(
        self, key: str, *, metadata: dict[str, str] | None = None, guard: Guard = MD5
    ) -> Upload: ...

    def guard_of_whole(self, plan: PlanConfig) -> Guard:
        """The best one for a large upload that copies no parts. Tried out below the plan's prefix
        when nobody knows; raises nothing."""
        ...

    def uploads(self, prefix: str) -> Iterator[OpenUpload]:
        """All uploads under a prefix that are open, in no promised order."""
        ...

    def upload_parts(self, key: str, upload_id: str) -> Iterator[Part]:
        """The parts that an open upload has; `UploadGone` when it is open no more."""
        ...

    def close_upload(self, key: str, upload_id: str, parts: Sequence[Part]) -> StoredObject:
        """Publish an upload begun by another run, with these of its parts only.

        `UploadGone`; `StorageError` when the server wants all of its parts, or the object does
        not come out as large as these are.
        """
        ...

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Abort an upload begun by another run; an absent one is success."""
        ...

    def abilities(self, plan: PlanConfig) -> Abilities:
        """What the server can do. Tried out below the plan's prefix when nobody knows; raises
        nothing."""
        ...
