"""The one place where errors of botocore become `StorageError`s with a hint.

`transient` says whether the same request may succeed when asked again. Messages quote the
bucket, the endpoint and what the server said (cut short), never a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from worker.engine.config import StorageConfig
from worker.engine.errors import StorageError
from worker.engine.storage import NotFound, UploadGone

MAX_QUOTED = 300

CREDENTIAL_CODES = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
}
DENIED_CODES = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "403"}
SKEW_CODES = {"RequestTimeTooSkewed", "RequestExpired"}
MISSING_CODES = {"NoSuchKey", "NotFound", "404"}
REGION_CODES = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "301",
}
TRANSIENT_CODES = {
    "BadDigest",  # damaged on the way: sending again is the cure
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "TooManyRequests",
    "XAmzContentSHA256Mismatch",
}
TRANSIENT_STATUS = {408, 429, 500, 502, 503, 504}


class S3Error(StorageError):
    def __init__(
        self, message: str, *, hint: str = "", code: str | None = None, transient: bool = False
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.passing = transient


def is_transient(error: StorageError) -> bool:
    return isinstance(error, S3Error) and error.passing


def server_code(error: StorageError) -> str:
    """The S3 error code behind `error` ("NoSuchUpload"), or nothing."""
    return _code(error.__cause__) if isinstance(error.__cause__, ClientError) else ""


@contextmanager
def translated(config: StorageConfig, key: str = "", *, about: str = "") -> Iterator[None]:
    """Raise what the block raises from botocore as `StorageError` instead. `key` is that of an
    object that has to be there, `about` one that does not."""
    try:
        yield
    except ClientError as error:
        raise _from_answer(error, config, key, about or key) from error
    except (BotoCoreError, ResponseParserError, HTTPError, OSError) as error:
        raise _from_transport(error, config) from error


def _from_answer(error: ClientError, config: StorageConfig, key: str, about: str) -> StorageError:
    """For an answer that says no."""
    code, bucket = _code(error), config.bucket
    if code == "NoSuchBucket" or (code in MISSING_CODES and not key):
        return S3Error(
            f"The bucket {bucket!r} does not exist",
            hint="Create it, or correct BACKUP_S3_BUCKET, BACKUP_S3_REGION or BACKUP_S3_ENDPOINT.",
            code="STORAGE_BUCKET_MISSING",
        )
    if code == "NoSuchUpload":
        return upload_gone(key, error.operation_name)
    if code in MISSING_CODES:
        hint = "It may have been deleted since it was listed."
        return NotFound(f"There is no object {key!r} in the bucket {bucket!r}", hint=hint)
    if code in CREDENTIAL_CODES:
        return S3Error(
            f"S3 refuses the credentials ({code})",
            hint="Check BACKUP_S3_ACCESS_KEY and BACKUP_S3_SECRET_KEY, and that they are active.",
            code="STORAGE_CREDENTIALS",
        )
    return _from_refusal(error, config, about)


def _from_refusal(error: ClientError, config: StorageConfig, about: str) -> S3Error:
    code, said = _code(error), _said(error)
    asked = f"{error.operation_name} of {about!r}" if about else error.operation_name
    if code in SKEW_CODES:
        return S3Error(
            "S3 refuses requests because this machine's clock is wrong",
            hint="Set the clock (turn on NTP) and try again.",
            code="STORAGE_CLOCK_SKEW",
        )
    if code in DENIED_CODES:
        return S3Error(
            f"S3 denies access to the bucket {config.bucket!r}: {asked} was refused ({said})",
            hint="The keys need to list the bucket and to get, put and delete its objects.",
            code="STORAGE_DENIED",
        )
    if code in REGION_CODES:
        hint = "Set BACKUP_S3_REGION to the region that the bucket lies in."
        return S3Error(f"The bucket {config.bucket!r} lies in another region ({said})", hint=hint)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    transient = code in TRANSIENT_CODES or status in TRANSIENT_STATUS
    hint = "Try again later." if transient else "Look the code up with your storage provider."
    if code.isdecimal():  # a bare status: what answered may be a proxy, or no S3 at all
        hint = "Check BACKUP_S3_ENDPOINT and what stands between, and try again."
    return S3Error(f"S3 refused {asked} ({said})", hint=hint, transient=transient)


def _from_transport(error: Exception, config: StorageConfig) -> S3Error:
    """For an answer that never came, or that was not S3's."""
    if isinstance(error, boto.NoCredentialsError | boto.CredentialRetrievalError):
        return no_credentials()
    if isinstance(error, boto.ParamValidationError):
        return S3Error(f"S3 cannot be asked that: {str(error)[:MAX_QUOTED]}")
    if isinstance(error, ResponseParserError):
        return not_s3(config)
    reason, hint = _reason(error, config)
    return S3Error(
        f"Failed to connect to S3: {reason}", hint=hint, code="STORAGE_UNREACHABLE", transient=True
    )


def not_s3(config: StorageConfig) -> S3Error:
    return S3Error(
        f"Failed to connect to S3: {config.endpoint or 'AWS'} answers, but not as S3 does",
        hint="Check BACKUP_S3_ENDPOINT: it may be the address of a web page.",
        code="STORAGE_UNREACHABLE",
    )


def upload_gone(key: str, operation: str) -> UploadGone:
    return UploadGone(
        f"The upload of {key!r} is open no more: S3 refused {operation} (NoSuchUpload)",
        hint="Somebody has aborted it: another program, or a lifecycle rule of the bucket.",
    )


def exists_already(key: str) -> S3Error:
    return S3Error(
        f"There is an object {key!r} already, and it is not the one to be written",
        hint="Another run may back up to the same bucket under the same name at this moment.",
        code="STORAGE_OBJECT_EXISTS",
    )


def no_credentials() -> S3Error:
    return S3Error(
        "There are no credentials for S3",
        hint="Set BACKUP_S3_ACCESS_KEY and BACKUP_S3_SECRET_KEY.",
        code="STORAGE_CREDENTIALS",
    )


def _reason(error: Exception, config: StorageConfig) -> tuple[str, str]:
    where = config.endpoint or f"AWS ({config.region})"
    network = "Check the network and BACKUP_S3_ENDPOINT."
    if isinstance(error, boto.SSLError):
        trust = "Check the server's certificate and its name, or set BACKUP_S3_CA_BUNDLE."
        return f"TLS fails with {where}", trust
    if isinstance(error, boto.ConnectTimeoutError | boto.ReadTimeoutError):
        return f"{where} did not answer in time", network
    if isinstance(error, boto.EndpointConnectionError):
        unknown = "resolve" in str(error.kwargs.get("error", ""))
        what = "no such host" if unknown else "nothing answers"
        return f"{what} at {where}", network
    return f"the connection to {where} broke ({type(error).__name__})", network


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _said(error: ClientError) -> str:
    told = error.response.get("Error", {}).get("Message", "")
    text = f"{_code(error)}: {told}" if told else _code(error)
    return "".join(c if c.isprintable() else " " for c in text)[:MAX_QUOTED]
