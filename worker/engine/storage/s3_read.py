"""Downloads that go on where they broke off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from worker.engine.config import StorageConfig
from worker.engine.errors import StorageError
from worker.engine.storage.s3_errors import S3Error, server_code, translated
from worker.engine.storage.s3_retry import Retry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

CHUNK = 1024 * 1024


class Download:
    """The bytes [start, end) of one object, as one state of it: a replaced object is noticed."""

    def __init__(
        self, client: S3Client, config: StorageConfig, key: str, start: int, end: int | None
    ) -> None:
        self._client, self._config, self._key = client, config, key
        self._position, self._end, self._etag = start, end, ""

    def chunks(self, retry: Retry) -> Iterator[bytes]:
        while self._end is None or self._position < self._end:
            try:
                for chunk in self._read():
                    self._position += len(chunk)
                    retry.succeeded()
                    yield chunk
                return
            except StorageError as error:
                if server_code(error) in {"InvalidRange", "416"}:
                    return  # begins at or behind the end of the object
                retry.pause(self._explain(error))

    def _read(self) -> Iterator[bytes]:
        with translated(self._config, self._key):
            answer = self._ask()
            body = answer["Body"]
            try:
                yield from body.iter_chunks(CHUNK)
            finally:
                body.close()

    def _ask(self) -> GetObjectOutputTypeDef:
        options: dict[str, Any] = {"IfMatch": self._etag} if self._etag else {}
        if self._position or self._end is not None:
            last = "" if self._end is None else self._end - 1
            options["Range"] = f"bytes={self._position}-{last}"
        answer = self._client.get_object(Bucket=self._config.bucket, Key=self._key, **options)
        self._check(answer, ranged="Range" in options)
        self._etag = answer.get("ETag", "")
        return answer

    def _check(self, answer: GetObjectOutputTypeDef, *, ranged: bool) -> None:
        """Some servers ignore If-Match, or Range: then what they answer gives them away."""
        if self._etag and answer.get("ETag") != self._etag:
            raise _replaced(self._key)
        begins = f"bytes {self._position}-"
        if ranged and not answer.get("ContentRange", "").startswith(begins):
            raise S3Error(
                "The storage server does not serve parts of objects",
                hint="Tarkeep needs a server that honours the Range header.",
            )

    def _explain(self, error: StorageError) -> StorageError:
        replaced = server_code(error) in {"PreconditionFailed", "412"}
        return _replaced(self._key) if replaced else error


def _replaced(key: str) -> S3Error:
    return S3Error(f"The object {key!r} was replaced while it was read", hint="Start again.")
