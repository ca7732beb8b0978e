"""One multipart upload to S3: parts in any order and from several threads, then one commit."""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from worker.engine.config import StorageConfig
from worker.engine.errors import StorageError
from worker.engine.storage import NotFound, Part, StoredObject
from worker.engine.storage.bandwidth import Bandwidth
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


def content_md5(data: bytes | bytearray | memoryview) -> str:
    """The Content-MD5 header of `data`: guards the way to the server, not against people."""
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


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
        bandwidth: Bandwidth | None = None,
        pulse: Callable[[], None] = unheard,
        check: Callable[[], None] = unheard,
    ) -> None:
        self._client, self._config, self._patience, self._key = client, config, patience, key
        self._bandwidth, self._pulse, self._check = bandwidth, pulse, check
        self._parts: dict[int, tuple[str, int]] = {}
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
            )["UploadId"]

    def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None:
        """Send one part, again and again while the trouble looks passing."""
        _check_number(number)
        body, md5 = _body(data), content_md5(data)
        etag = self._retry().call(lambda: self._send(number, body, md5))
        with self._lock:
            self._parts[number] = (etag, len(body))

    def copy_part(self, number: int, source: str, *, etag: str, first: int, last: int) -> Part:
        """Let the server make one part from another object of the bucket."""
        _check_number(number)
        span = Span(source, etag, first, last)
        copier = PartCopier(self._client, self._config, self._key, self.upload_id)
        new = self._retry().call(lambda: copier.copy(number, span))
        with self._lock:
            self._parts[number] = (new, span.size)
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

    def _send(self, number: int, body: bytes, md5: str) -> str:
        with translated(self._config, self._key):
            return self._client.upload_part(
                Bucket=self._config.bucket,
                Key=self._key,
                UploadId=self.upload_id,
                PartNumber=number,
                Body=self._outgoing(body),
                ContentMD5=md5,
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
        tags = {number: etag for number, (etag, _) in self._parts.items()}
        ask_to_complete(self._client, self._config, self._key, self.upload_id, tags)

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


def ask_to_complete(
    client: S3Client, config: StorageConfig, key: str, upload_id: str, tags: dict[int, str]
) -> None:
    """Publish the parts of these numbers, which have these ETags."""
    parts: list[CompletedPartTypeDef] = [
        {"PartNumber": number, "ETag": etag} for number, etag in sorted(tags.items())
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
