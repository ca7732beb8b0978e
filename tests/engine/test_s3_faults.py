"""S3 on a bad network: a real server behind a proxy that spoils single requests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest

from tests.support.fault_proxy import Answer, Fault, FaultProxy, Request
from tests.support.s3client import s3_client
from worker.engine.config import StorageConfig
from worker.engine.errors import StorageError
from worker.engine.storage.s3 import Patience, S3Storage, open_storage

KEY = "backups/some.tar.gz"
CONTENT = os.urandom(3 * 1024 * 1024 + 5)
PATIENCE = Patience(attempts=1, seconds=30)

COMPLETE, PART = "uploadId=", "partNumber="
BUSY = Answer(503, [], b"<Error><Code>SlowDown</Code><Message>slower</Message></Error>")
SICK = Answer(200, [], b"<Error><Code>InternalError</Code><Message>try again</Message></Error>")


@pytest.fixture
def proxy(storage_config: StorageConfig) -> Iterator[FaultProxy]:
    proxy = FaultProxy(storage_config.endpoint)
    yield proxy
    proxy.stop()


@pytest.fixture
def storage(proxy: FaultProxy, storage_config: StorageConfig) -> S3Storage:
    return open_storage(replace(storage_config, endpoint=proxy.endpoint), patience=PATIENCE)


def upload(storage: S3Storage, content: bytes = CONTENT) -> None:
    with storage.start_upload(KEY, metadata={"tarkeep-job": "1"}) as sending:
        sending.send_part(1, content)
        assert sending.complete().size == len(content)


def requests(proxy: FaultProxy, method: str, part: str = "") -> int:
    return sum(line.startswith(method) and part in line for line in proxy.seen)


def open_uploads(config: StorageConfig) -> list[object]:
    answer = s3_client(config).list_multipart_uploads(Bucket=config.bucket)
    uploads: list[object] = answer.get("Uploads", [])
    return uploads


def damage(request: Request) -> Request:
    return replace(request, body=b"X" + request.body[1:])


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", PART, times=2, instead=BUSY),
        Fault("PUT", PART, times=2, cut=-1),
        Fault("PUT", PART, times=2, request=damage),
    ],
    ids=["busy", "connection broken", "damaged on the way"],
)
def test_a_part_is_sent_until_it_has_arrived_whole(
    storage: S3Storage, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.faults = [replace(fault)]
    upload(storage)
    assert b"".join(storage.get(KEY)) == CONTENT
    assert requests(proxy, "PUT", PART) == 3


def test_what_cannot_succeed_is_not_tried_again(storage: S3Storage, proxy: FaultProxy) -> None:
    denied = Answer(403, [], b"<Error><Code>AccessDenied</Code></Error>")
    proxy.faults = [Fault("PUT", PART, times=9, instead=denied)]
    with pytest.raises(StorageError) as caught:
        upload(storage)
    assert caught.value.code == "STORAGE_DENIED"
    assert requests(proxy, "PUT", PART) == 1


def test_a_lost_answer_to_complete_is_made_up_for_by_looking(
    storage: S3Storage, proxy: FaultProxy
) -> None:
    proxy.faults = [Fault("POST", COMPLETE, cut=-1)]
    upload(storage)
    assert b"".join(storage.get(KEY)) == CONTENT
    assert requests(proxy, "POST", COMPLETE) == 1


def test_a_lost_answer_that_botocore_asks_for_again_is_no_failure(
    proxy: FaultProxy, storage_config: StorageConfig
) -> None:
    config = replace(storage_config, endpoint=proxy.endpoint)
    storage = open_storage(config, patience=Patience(attempts=3, seconds=0))
    proxy.faults = [Fault("POST", COMPLETE, cut=-1)]
    upload(storage)
    assert requests(proxy, "POST", COMPLETE) == 2


def test_a_complete_that_never_arrived_is_asked_for_again(
    storage: S3Storage, proxy: FaultProxy
) -> None:
    proxy.faults = [Fault("POST", COMPLETE, instead=BUSY)]
    upload(storage)
    assert requests(proxy, "POST", COMPLETE) == 2


def test_an_error_inside_a_200_is_an_error(
    storage: S3Storage, proxy: FaultProxy, storage_config: StorageConfig
) -> None:
    proxy.faults = [Fault("POST", COMPLETE, times=1, instead=SICK)]
    upload(storage)
    assert requests(proxy, "POST", COMPLETE) == 2


COPIED = b"<CopyPartResult><LastModified>2025-08-29T05:00:00.000Z</LastModified></CopyPartResult>"


def copy_all(storage: S3Storage) -> None:
    etag = storage.put("source", CONTENT).etag
    with storage.start_upload(KEY) as sending:
        sending.copy_part(1, "source", etag=etag, first=0, last=len(CONTENT) - 1)
        sending.complete()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", PART, times=2, instead=BUSY),
        Fault("PUT", PART, times=2, cut=-1),
        Fault("PUT", PART, times=2, instead=SICK),
    ],
    ids=["busy", "connection broken", "error inside a 200"],
)
def test_a_part_is_copied_until_it_is_there(
    storage: S3Storage, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.faults = [replace(fault)]
    copy_all(storage)
    assert b"".join(storage.get(KEY)) == CONTENT
    assert requests(proxy, "PUT", PART) == 3


@pytest.mark.parametrize("answer", [Answer(200, [], COPIED), Answer(501, [], b"")])
def test_a_copy_that_names_no_part_is_no_copy(
    storage: S3Storage, proxy: FaultProxy, storage_config: StorageConfig, answer: Answer
) -> None:
    proxy.faults = [Fault("PUT", PART, instead=answer)]
    with pytest.raises(StorageError) as caught:
        copy_all(storage)
    assert caught.value.code == "STORAGE_NO_RANGE_COPY"
    assert open_uploads(storage_config) == []


def test_an_older_object_under_the_same_key_is_not_taken_for_ours(
    proxy: FaultProxy, storage_config: StorageConfig
) -> None:
    config = replace(storage_config, endpoint=proxy.endpoint)
    storage = open_storage(config, patience=Patience(attempts=1, seconds=0))
    upload(storage)
    proxy.faults = [Fault("POST", COMPLETE, instead=BUSY)]
    with pytest.raises(StorageError):
        upload(storage)
    assert open_uploads(storage_config) == []


def test_an_object_shorter_than_what_was_sent_is_an_error(
    storage: S3Storage, proxy: FaultProxy
) -> None:
    def shorter(answer: Answer) -> Answer:
        others = [(n, v) for n, v in answer.headers if n.lower() != "content-length"]
        return replace(answer, headers=[*others, ("Content-Length", "5")])

    proxy.faults = [Fault("HEAD", KEY, answer=shorter)]
    with pytest.raises(StorageError, match="S3 stored 5 bytes"):
        upload(storage)


def test_an_upload_given_up_leaves_no_parts(
    proxy: FaultProxy, storage_config: StorageConfig
) -> None:
    config = replace(storage_config, endpoint=proxy.endpoint)
    storage = open_storage(config, patience=Patience(attempts=1, seconds=0))
    proxy.faults = [Fault("PUT", PART, times=99, instead=BUSY)]
    with pytest.raises(StorageError) as caught:
        upload(storage)
    assert "SlowDown" in caught.value.message
    assert open_uploads(storage_config) == []


def test_an_answer_that_comes_after_its_upload_was_given_up_is_not_asked_for_again(
    proxy: FaultProxy, storage: S3Storage, caplog: pytest.LogCaptureFixture
) -> None:
    arrived, given_up = Event(), Event()

    def late(request: Request) -> Answer:
        arrived.set()
        given_up.wait(30)
        return BUSY

    proxy.faults = [Fault("PUT", PART, times=99, request=late)]
    sending = storage.start_upload(KEY)
    with ThreadPoolExecutor(1) as pool:
        part = pool.submit(sending.send_part, 1, CONTENT)
        assert arrived.wait(30)
        sending.abort()
        given_up.set()
        with pytest.raises(StorageError, match="SlowDown"):
            part.result(30)
    assert requests(proxy, "PUT", PART) == 1
    assert "asking again" not in caplog.text


@pytest.mark.parametrize("cut", [0, 1, 1024 * 1024, len(CONTENT) - 1])
def test_a_broken_download_goes_on_where_it_broke(
    storage: S3Storage, proxy: FaultProxy, cut: int
) -> None:
    upload(storage)
    proxy.faults = [Fault("GET", KEY, times=2, cut=cut)]
    assert b"".join(storage.get(KEY)) == CONTENT
    proxy.faults = [Fault("GET", KEY, times=1, cut=min(cut, 100))]
    assert b"".join(storage.get(KEY, 7, 2_000_007)) == CONTENT[7:2_000_007]


def test_a_download_that_never_gets_on_is_given_up(
    proxy: FaultProxy, storage_config: StorageConfig
) -> None:
    config = replace(storage_config, endpoint=proxy.endpoint)
    storage = open_storage(config, patience=Patience(attempts=1, seconds=0))
    upload(storage)
    proxy.faults = [Fault("GET", KEY, times=99, cut=0)]
    with pytest.raises(StorageError) as caught:
        b"".join(storage.get(KEY))
    assert caught.value.code == "STORAGE_UNREACHABLE"


def test_an_object_replaced_while_it_is_read_is_noticed(
    storage: S3Storage, proxy: FaultProxy
) -> None:
    upload(storage)
    chunks = storage.get(KEY)
    proxy.faults = [Fault("GET", KEY, cut=2_000_000)]
    next(chunks)
    storage.put(KEY, CONTENT[::-1])
    with pytest.raises(StorageError, match="was replaced while it was read"):
        list(chunks)


def test_a_replaced_object_is_noticed_where_if_match_is_ignored(
    storage: S3Storage, proxy: FaultProxy
) -> None:
    upload(storage)
    chunks = storage.get(KEY)
    proxy.faults = [
        Fault("GET", KEY, cut=2_000_000),
        Fault("GET", KEY, answer=lambda answer: _with_etag(answer, "other")),
    ]
    next(chunks)
    with pytest.raises(StorageError, match="was replaced while it was read"):
        list(chunks)


def _with_etag(answer: Answer, etag: str) -> Answer:
    others = [(n, v) for n, v in answer.headers if n.lower() != "etag"]
    return replace(answer, headers=[*others, ("ETag", f'"{etag}"')])


def test_a_server_without_ranges_is_found_out(storage: S3Storage, proxy: FaultProxy) -> None:
    storage.put(KEY, b"0123456789")
    whole = Answer(200, [("ETag", '"x"')], b"0123456789")
    proxy.faults = [Fault("GET", KEY, instead=whole)]
    with pytest.raises(StorageError, match="does not serve parts of objects"):
        b"".join(storage.get(KEY, 3))


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, "RequestTimeTooSkewed", "STORAGE_CLOCK_SKEW"),
        (403, "AccessDenied", "STORAGE_DENIED"),
        (403, "SignatureDoesNotMatch", "STORAGE_CREDENTIALS"),
        (403, "InvalidAccessKeyId", "STORAGE_CREDENTIALS"),
        (404, "NoSuchBucket", "STORAGE_BUCKET_MISSING"),
        (400, "AuthorizationHeaderMalformed", "STORAGE_FAILED"),
        (503, "SlowDown", "STORAGE_FAILED"),
    ],
)
def test_every_refusal_has_its_code_and_a_hint(
    proxy: FaultProxy, storage_config: StorageConfig, status: int, body: str, code: str
) -> None:
    config = replace(storage_config, endpoint=proxy.endpoint)
    storage = open_storage(config, patience=Patience(attempts=1, seconds=0))
    xml = f"<Error><Code>{body}</Code><Message>as\nit is</Message></Error>"
    proxy.faults = [Fault("GET", times=9, instead=Answer(status, [], xml.encode()))]
    with pytest.raises(StorageError) as caught:
        storage.check()
    assert caught.value.code == code
    assert caught.value.hint
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("page", [b"<html><p>Welcome</p></html>", b"<html><p>", b"OK", b""])
def test_something_that_is_not_s3_does_not_pass_for_it(
    proxy: FaultProxy, storage_config: StorageConfig, page: bytes
) -> None:
    config = replace(storage_config, endpoint=proxy.endpoint)
    storage = open_storage(config, patience=Patience(attempts=1, seconds=0))
    proxy.faults = [Fault("GET", times=9, instead=Answer(200, [], page))]
    with pytest.raises(StorageError) as caught:
        storage.check()
    assert "BACKUP_S3_ENDPOINT" in caught.value.hint
