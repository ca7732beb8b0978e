"""One part of an upload, copied by the server from another object of the bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.engine.config import StorageConfig
from worker.engine.errors import StorageError
from worker.engine.storage import UploadGone
from worker.engine.storage.s3_errors import S3Error, server_code, translated, upload_gone

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_HINT = "The bytes have to be sent; `tarkeep doctor` shows what the provider can do."


@dataclass(frozen=True)
class Span:
    """The bytes first..last, both counted in, of the object `key` as it was under `etag`."""

    key: str
    etag: str
    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise ValueError(f"there are no bytes from {self.first} to {self.last}")


@dataclass(frozen=True)
class PartCopier:
    """Copies into one upload."""

    client: S3Client
    config: StorageConfig
    key: str
    upload_id: str

    def copy(self, number: int, span: Span) -> str:
        """The ETag of the new part, with its quotes. `StorageError` as `Upload.copy_part` has."""
        try:
            etag = self._ask(number, span)
        except StorageError as error:
            raise self._explained(error, span) from error
        if not etag:
            # rclone's server takes the request for an empty part and says 200.
            message = "The storage server cannot copy parts of objects"
            raise S3Error(message, hint=_HINT, code="STORAGE_NO_RANGE_COPY")
        return etag

    def _ask(self, number: int, span: Span) -> str:
        # An error inside a 200 is turned into an error by botocore.
        with translated(self.config, span.key):
            answer = self.client.upload_part_copy(
                Bucket=self.config.bucket,
                Key=self.key,
                UploadId=self.upload_id,
                PartNumber=number,
                CopySource={"Bucket": self.config.bucket, "Key": span.key},
                CopySourceRange=f"bytes={span.first}-{span.last}",
                CopySourceIfMatch=f'"{span.etag}"',
            )
        return answer.get("CopyPartResult", {}).get("ETag", "")

    def _explained(self, error: StorageError, span: Span) -> StorageError:
        code = server_code(error)
        if isinstance(error, UploadGone):
            return upload_gone(self.key, "UploadPartCopy")
        if code in {"PreconditionFailed", "412"}:
            message = f"The object {span.key!r} was replaced: its parts are not copied"
            return S3Error(message, hint=_HINT, code="STORAGE_OBJECT_CHANGED")
        if code in {"NotImplemented", "501", "MethodNotAllowed"}:
            message = "The storage server cannot copy parts of objects"
            return S3Error(message, hint=_HINT, code="STORAGE_NO_RANGE_COPY")
        return error
