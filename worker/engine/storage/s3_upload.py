"""One multipart upload to S3: parts in any order and from several threads, then one commit."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from worker.engine.config import StorageConfig
from worker.engine.errors import StorageError
from worker.engine.storage import NotFound, Part, StoredObject
from worker.engine.storage.bandwidth import Bandwidth
from worker.engine.storage.guards import CRC32, Guard
from worker.engine.storage.outgoing import Outgoing
from worker.engine.storage.s3_client import Patience
from worker.engine.storage.s3_copy import PartCopier, Span
from worker.engine.storage.s3_errors import S3Error, is_transient, server_code, translated
from worker.engine.storage.s3_options import uploading
from worker.engine.storage.s3_retry import Retry, unheard

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, HeadObjectOutputTypeDef

MAX_PARTS = 10_000
TOKEN_FIELD = "tarkeep-upload"  # noqa: S105 - names a field, it is no secret
log = logging.getLogger(__name__)


def stored(key: str, head: HeadObjectOutputTypeDef) -> StoredObject:
    etag = head.get("ETag", "").strip('"')
    marks = {name.lower(): text for name, text in head.get("Metadata", {}).items()}
    version = head.get("VersionId", "").removeprefix("null")
    return StoredObject(key, head["ContentLength"], head["LastModified"], etag, marks, version)


class S3Upload:
    """See `worker.engine.storage.Upload`. Join the threads that send before `abort`."""

    def __init__(
        self,
        client: S3Client,
        config: StorageConfig,
        patience: Patience,
        key: str,
        metadata: dict[str, str],
        guard: Guard,
        bandwidth: Bandwidth | None = None,
        pulse: Callable[[], None] = unheard,
        check: Callable[[], None] = unheard,
    ) -> None:
        self._client, self._config, self._patience, self._key = client, config, patience, key
        self._bandwidth, self._pulse, self._check = bandwidth, pulse, check
        self._guard = guard
        self._told: Callable[[int, str], None] = lambda number, crc32: None
        self._parts: dict[int, tuple[CompletedPartTypeDef, int]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._over = self._left_open = False
        # Tells our object from another under the same key when an answer was lost.
        self._token = secrets.token_hex(8)
        with translated(config, about=key):
            self.upload_id = client.create_multipart_upload(
                Bucket=config.bucket,
                Key=key,
                Metadata={**metadata, TOKEN_FIELD: self._token},
                **uploading(config),
                **guard.beginning(),
            )["UploadId"]

    def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None:
        """Send one part, again and again while the trouble looks passing."""
        _check_number(number)
        body, checksum = _body(data), self._guard.sending(data)
        crc32 = checksum.get(CRC32, "")
        if crc32:
            self._told(number, crc32)
        etag = self._retry().call(lambda: self._send(number, body, checksum))
        with self._lock:
            self._parts[number] = (completed(etag, crc32), len(body))

    def tell_checksums(self, told: Callable[[int, str], None]) -> None:
        self._told = told

    def copy_part(self, number: int, source: str, *, etag: str, first: int, last: int) -> Part:
        """Let the server make one part from another object of the bucket."""
        _check_number(number)
        span = Span(source, etag, first, last)
        copier = PartCopier(self._client, self._config, self._key, self.upload_id)
        new = self._retry().call(lambda: copier.copy(number, span))
        with self._lock:
            self._parts[number] = (completed(new), span.size)
        return Part(number, new.strip('"'), span.size)

    def complete(self) -> StoredObject:
        """Publish. An answer that got lost is made up for by looking what lies in the bucket."""
        if sorted(self._parts) != list(range(1, len(self._parts) + 1)) or not self._parts:
            raise ValueError("parts are missing")
        self._retry().call(self._publish)
        self._over = True
        found = self._retry().call(self._confirm)
        if found.size != self._size():
            message = f"S3 stored {found.size} bytes of {self._key!r}, {self._size()} were sent"
            raise S3Error(message, hint="Do not trust this object; back up again.")
        return found

    def abort(self) -> None:
        self._stopped.set()
        if not self._over:
            abort_upload(self._client, self._config, self._key, self.upload_id)
        self._over = True

    @property
    def parts_done(self) -> int:
        return len(self._parts)

    def leave_open(self) -> None:
        """The parts stay for another run."""
        self._left_open = True

    def __enter__(self) -> S3Upload:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._left_open:
            return
        try:
            self.abort()
        except StorageError as error:
            # What went wrong before matters more; the janitor finds the upload by its key.
            log.warning("the upload of %s could not be aborted: %s", self._key, error.message)

    def _send(self, number: int, body: bytes, checksum: dict[str, Any]) -> str:
        with translated(self._config, self._key):
            return self._client.upload_part(
                Bucket=self._config.bucket,
                Key=self._key,
                UploadId=self.upload_id,
                PartNumber=number,
                Body=self._outgoing(body),
                **checksum,
            )["ETag"]

    def _retry(self) -> Retry:
        return Retry(self._patience, self._stopped, self._check)

    def _outgoing(self, body: bytes) -> bytes:
        """botocore takes what can be read and sought, whatever its types say."""
        return cast("bytes", Outgoing(body, pulse=self._pulse, bandwidth=self._bandwidth))

    def _publish(self) -> None:
        try:
            self._ask_to_complete()
        except StorageError as error:
            # botocore asks again by itself: after a lost answer the second says NoSuchUpload.
            doubtful = is_transient(error) or server_code(error) == "NoSuchUpload"
            if not doubtful or not self._is_there():
                raise

    def _ask_to_complete(self) -> None:
        told = {number: part for number, (part, _) in self._parts.items()}
        ask_to_complete(self._client, self._config, self._key, self.upload_id, told)

    def _is_there(self) -> bool:
        """Whether the object under our key is the one we sent."""
        try:
            head = self._head()
        except NotFound:
            return False
        # A server that keeps no user metadata can only be asked for the size.
        ours = head["Metadata"].get(TOKEN_FIELD, self._token) == self._token
        return ours and head["ContentLength"] == self._size()

    def _confirm(self) -> StoredObject:
        try:
            return stored(self._key, self._head())
        except NotFound as error:
            message = f"S3 took {self._key!r} but does not show it"
            raise S3Error(message, hint="Try again.", transient=True) from error

    def _head(self) -> HeadObjectOutputTypeDef:
        with translated(self._config, self._key):
            return self._client.head_object(Bucket=self._config.bucket, Key=self._key)

    def _size(self) -> int:
        return sum(size for _, size in self._parts.values())


def completed(etag: str, crc32: str = "") -> CompletedPartTypeDef:
    """What completing tells of a part: its checksum too, where the upload was begun with one."""
    return {"ETag": etag, "ChecksumCRC32": crc32} if crc32 else {"ETag": etag}


def ask_to_complete(
    client: S3Client,
    config: StorageConfig,
    key: str,
    upload_id: str,
    told: dict[int, CompletedPartTypeDef],
) -> None:
    """Publish the parts of these numbers."""
    parts: list[CompletedPartTypeDef] = [
        {"PartNumber": number, **told[number]} for number in sorted(told)
    ]
    with translated(config, key):
        client.complete_multipart_upload(
            Bucket=config.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
        )


def abort_upload(client: S3Client, config: StorageConfig, key: str, upload_id: str) -> None:
    """Abort; an upload that is not there is aborted enough."""
    try:
        with translated(config, key):
            client.abort_multipart_upload(Bucket=config.bucket, Key=key, UploadId=upload_id)
    except StorageError as error:
        if server_code(error) != "NoSuchUpload" and not isinstance(error, NotFound):
            raise


def _check_number(number: int) -> None:
    if not 1 <= number <= MAX_PARTS:
        raise ValueError(f"part {number} is not between 1 and {MAX_PARTS}")


def _body(data: bytes | bytearray | memoryview) -> bytes:
    """The data as botocore takes it (a bytearray too); a view of a whole buffer is not copied."""
    if not isinstance(data, memoryview):
        return cast("bytes", data)
    whole = data.obj
    if isinstance(whole, bytes | bytearray) and data.c_contiguous and data.nbytes == len(whole):
        return cast("bytes", whole)
    return cast("bytes", bytearray(data))
