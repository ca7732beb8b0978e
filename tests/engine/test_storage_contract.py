"""One suite for every storage: memory, SeaweedFS and rclone must behave alike.

What is promised stands in `worker/engine/storage/__init__.py`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.memory_storage import MemoryStorage
from tests.support.rclone import RcloneS3
from tests.support.s3client import s3_client
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import StorageError
from worker.engine.storage import Abilities, NotFound, Storage, TooLarge, UploadGone
from worker.engine.storage.found_out import record_key
from worker.engine.storage.guards import MD5, Body, Crc32
from worker.engine.storage.s3 import IMPATIENT, open_storage

PART = 5 * 1024 * 1024
CONTENT = os.urandom(2 * PART + 1)
KEY = "backups/some-backup.tar.gz"


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    server = RcloneS3(tmp_path_factory.mktemp("rclone"))
    yield server
    server.stop()


@pytest.fixture(params=["seaweedfs", "rclone"])
def server_config(request: pytest.FixtureRequest) -> StorageConfig:
    """A fresh bucket on each of the real servers."""
    if request.param == "seaweedfs":
        config: StorageConfig = request.getfixturevalue("storage_config")
        return config
    rclone: RcloneS3 = request.getfixturevalue("rclone")
    return rclone.new_bucket(uuid.uuid4().hex)


@pytest.fixture(params=["memory", "seaweedfs", "rclone"])
def storage(request: pytest.FixtureRequest) -> Storage:
    if request.param == "memory":
        return MemoryStorage()
    if request.param == "seaweedfs":
        return open_storage(request.getfixturevalue("storage_config"))
    return open_storage(request.getfixturevalue("rclone").new_bucket(uuid.uuid4().hex))


def read(storage: Storage, key: str, *borders: int) -> bytes:
    return b"".join(storage.get(key, *borders))


def upload(storage: Storage, content: bytes, key: str = KEY) -> None:
    with storage.start_upload(key) as sending:
        for number, start in enumerate(range(0, max(1, len(content)), PART), start=1):
            sending.send_part(number, content[start : start + PART])
        sending.complete()


def test_a_working_bucket_passes_the_check(storage: Storage) -> None:
    storage.check()


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART + 1])
def test_an_upload_comes_back_byte_for_byte(storage: Storage, size: int) -> None:
    upload(storage, CONTENT[:size])
    assert read(storage, KEY) == CONTENT[:size]
    assert storage.head(KEY).size == size


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_parts_are_taken_from_any_kind_of_buffer(
    storage: Storage, kind: Callable[[bytes], bytes]
) -> None:
    with storage.start_upload(KEY) as sending:
        sending.send_part(1, kind(CONTENT[:PART]))
        sending.send_part(2, memoryview(CONTENT)[PART : PART + 3])
        sending.complete()
    assert read(storage, KEY) == CONTENT[: PART + 3]


def test_parts_may_come_in_any_order_from_several_threads(storage: Storage) -> None:
    with storage.start_upload(KEY) as sending, ThreadPoolExecutor(3) as pool:
        list(
            pool.map(lambda n: sending.send_part(n, CONTENT[(n - 1) * PART : n * PART]), (3, 1, 2))
        )
        sending.complete()
    assert read(storage, KEY) == CONTENT


def test_the_same_part_may_be_sent_twice(storage: Storage) -> None:
    with storage.start_upload(KEY) as sending:
        sending.send_part(1, b"the same")
        sending.send_part(1, b"the same")
        sending.complete()
    assert read(storage, KEY) == b"the same"


def test_complete_says_what_was_stored(storage: Storage) -> None:
    with storage.start_upload(KEY) as sending:
        sending.send_part(1, b"content")
        done = sending.complete()
    assert (done.key, done.size) == (KEY, 7)
    assert abs(done.modified - datetime.now(UTC)) < timedelta(hours=1)
    assert done.etag
    assert '"' not in done.etag


def test_an_upload_that_is_left_without_complete_leaves_nothing(storage: Storage) -> None:
    with storage.start_upload(KEY) as sending:
        sending.send_part(1, b"half")
    with pytest.raises(NotFound):
        storage.head(KEY)


def test_an_error_inside_an_upload_leaves_nothing(storage: Storage) -> None:
    def break_off() -> None:
        with storage.start_upload(KEY) as sending:
            sending.send_part(1, b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert list(storage.list("")) == []


def test_abort_can_be_called_twice_and_after_complete(storage: Storage) -> None:
    with storage.start_upload(KEY) as sending:
        sending.send_part(1, b"whole")
        sending.complete()
        sending.abort()
        sending.abort()
    assert read(storage, KEY) == b"whole"


def test_an_aborted_upload_cannot_be_completed(storage: Storage) -> None:
    with storage.start_upload(KEY) as sending:
        sending.send_part(1, b"half")
        sending.abort()
        with pytest.raises(StorageError):
            sending.complete()
    assert list(storage.list("")) == []


def test_another_run_can_abort_an_upload_by_its_id(storage: Storage) -> None:
    with storage.start_upload(KEY) as sending:
        sending.send_part(1, b"half")
        storage.abort_upload(KEY, sending.upload_id)
        with pytest.raises(StorageError):
            sending.complete()


def test_an_upload_that_was_left_open_is_closed_over_its_first_parts(copying: Storage) -> None:
    storage = copying
    with storage.start_upload(KEY) as sending:
        for number in (1, 2, 3):
            sending.send_part(number, CONTENT[(number - 1) * PART : number * PART])
        assert sending.parts_done == 3
        sending.leave_open()
    parts = list(storage.upload_parts(KEY, sending.upload_id))[:2]
    assert storage.close_upload(KEY, sending.upload_id, parts).size == 2 * PART
    assert read(storage, KEY) == CONTENT[: 2 * PART]
    assert list(storage.uploads("")) == []


def test_aborting_an_upload_that_is_gone_is_success(storage: Storage) -> None:
    with storage.start_upload(KEY) as sending:
        sending.abort()
    storage.abort_upload(KEY, sending.upload_id)


@pytest.mark.parametrize("end", ["aborted", "completed"])
def test_an_upload_that_is_open_no_more_is_said_to_be_gone(storage: Storage, end: str) -> None:
    with storage.start_upload(KEY) as sending:
        sending.send_part(1, b"part")
        parts = list(storage.upload_parts(KEY, sending.upload_id))
        if end == "completed":
            sending.complete()
    with pytest.raises(UploadGone) as caught:
        list(storage.upload_parts(KEY, sending.upload_id))
    assert caught.value.code == "STORAGE_UPLOAD_GONE"
    assert KEY in caught.value.message
    if end == "aborted":
        with pytest.raises(UploadGone):
            storage.close_upload(KEY, sending.upload_id, parts)


@pytest.fixture(params=["memory", "seaweedfs"])
def copying(request: pytest.FixtureRequest) -> Storage:
    """The servers that copy parts of objects; rclone's only looks as if it did."""
    if request.param == "memory":
        return MemoryStorage()
    return open_storage(request.getfixturevalue("storage_config"))


def test_what_the_server_can_do_is_tried_out_once_and_kept(
    server_config: StorageConfig, request: pytest.FixtureRequest
) -> None:
    copies = "seaweedfs" in request.node.name
    storage, plan = open_storage(server_config), PlanConfig()
    assert storage.abilities(plan) == Abilities(copies=copies, keeps_deleted=False)
    assert [found.key for found in storage.list("")] == [record_key(plan)]
    storage.put(record_key(plan), b'{"version": 1}')
    assert storage.abilities(plan).copies == copies
    other = storage.get_bytes(record_key(plan), limit=1000).replace(b"false", b"true")
    storage.put(record_key(plan), other)
    assert storage.abilities(plan).keeps_deleted  # it is believed, and not tried out again


def test_parts_are_guarded_by_crc32_where_the_server_checks_it(
    server_config: StorageConfig, request: pytest.FixtureRequest
) -> None:
    storage, plan = open_storage(server_config), PlanConfig()
    checks = "seaweedfs" in request.node.name
    assert isinstance(storage.guard_of_whole(plan), Crc32) == checks
    assert [found.key for found in storage.list("")] == [record_key(plan)]
    assert not list(storage.uploads(""))
    told = storage.get_bytes(record_key(plan), limit=1000)
    storage.put(record_key(plan), told.replace(b"true", b"false"))
    assert storage.guard_of_whole(plan) is MD5  # it is believed, and not tried out again
    assert storage.abilities(plan).copies == checks  # found out besides
    assert storage.guard_of_whole(plan) is MD5


class OfSomethingElse(Crc32):
    def sending(self, data: Body) -> dict[str, Any]:
        return super().sending(bytes(data) + b"!")


def test_a_part_that_does_not_fit_its_crc32_is_refused_and_others_make_an_object(
    storage_config: StorageConfig,
) -> None:
    storage = open_storage(storage_config, patience=IMPATIENT)
    wrong = storage.start_upload(KEY, guard=OfSomethingElse())
    with wrong as sending, pytest.raises(StorageError):
        sending.send_part(1, CONTENT)
    with storage.start_upload(KEY, guard=Crc32()) as sending:
        sending.send_part(2, CONTENT[PART:])
        sending.send_part(1, CONTENT[:PART])
        sending.complete()
    assert read(storage, KEY) == CONTENT


def test_an_upload_guarded_by_crc32_is_closed_by_another_run(storage_config: StorageConfig) -> None:
    storage = open_storage(storage_config)
    told: dict[int, str] = {}
    with storage.start_upload(KEY, guard=Crc32()) as sending:
        sending.tell_checksums(told.__setitem__)
        sending.send_part(1, CONTENT[:PART])
        sending.send_part(2, CONTENT[PART:])
        sending.leave_open()
    later = open_storage(storage_config)
    parts = [
        replace(one, crc32=told[one.number]) for one in later.upload_parts(KEY, sending.upload_id)
    ]
    later.close_upload(KEY, sending.upload_id, parts[:1])
    assert read(later, KEY) == CONTENT[:PART]


def test_a_bucket_that_keeps_what_is_deleted_is_known(storage_config: StorageConfig) -> None:
    s3_client(storage_config).put_bucket_versioning(
        Bucket=storage_config.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    found = open_storage(storage_config).abilities(PlanConfig())
    assert found == Abilities(copies=True, keeps_deleted=True)


@pytest.mark.parametrize(("first", "last"), [(0, PART - 1), (1, PART), (PART, 2 * PART)])
def test_a_part_is_copied_from_another_object(copying: Storage, first: int, last: int) -> None:
    source = "backups/the source: ü+ &?%.tar.gz"
    upload(copying, CONTENT, source)
    etag = copying.head(source).etag
    with copying.start_upload(KEY) as sending:
        sending.send_part(1, CONTENT[:PART])
        part = sending.copy_part(2, source, etag=etag, first=first, last=last)
        sending.send_part(3, b"the end")
        sending.complete()
    assert (part.number, part.size) == (2, last - first + 1)
    assert part.etag.strip('"') == part.etag != ""
    assert read(copying, KEY) == CONTENT[:PART] + CONTENT[first : last + 1] + b"the end"


def test_a_part_of_an_object_that_changed_is_not_copied_and_can_be_sent_instead(
    copying: Storage,
) -> None:
    stale = copying.put("source", b"as it was").etag
    copying.put("source", b"as it became")
    with copying.start_upload(KEY) as sending:
        with pytest.raises(StorageError) as caught:
            sending.copy_part(1, "source", etag=stale, first=0, last=5)
        sending.send_part(1, b"sent")
        sending.complete()
    assert caught.value.code == "STORAGE_OBJECT_CHANGED"
    assert read(copying, KEY) == b"sent"


def test_a_part_that_the_server_cannot_copy_is_never_taken_for_one(rclone: RcloneS3) -> None:
    storage = open_storage(rclone.new_bucket(uuid.uuid4().hex))
    etag = storage.put("source", b"0123456789").etag
    with storage.start_upload(KEY) as sending:
        with pytest.raises(StorageError) as caught:
            sending.copy_part(1, "source", etag=etag, first=0, last=5)
        with pytest.raises(ValueError, match="parts are missing"):
            sending.complete()
    assert caught.value.code == "STORAGE_NO_RANGE_COPY"
    assert [found.key for found in storage.list("")] == ["source"]


def test_a_part_of_an_object_that_is_not_there_is_not_copied(storage: Storage) -> None:
    with storage.start_upload(KEY) as sending:
        with pytest.raises(StorageError):
            sending.copy_part(1, "no/such/object", etag="0" * 32, first=0, last=5)
        with pytest.raises(ValueError, match="parts are missing"):
            sending.complete()


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (3, 2)])
def test_there_is_no_range_that_ends_before_it_begins(
    storage: Storage, first: int, last: int
) -> None:
    etag = storage.put("source", b"0123456789").etag
    with storage.start_upload(KEY) as sending, pytest.raises(ValueError, match="no bytes"):
        sending.copy_part(1, "source", etag=etag, first=first, last=last)


@pytest.mark.parametrize("numbers", [(), (2,), (1, 3)])
def test_an_upload_with_a_gap_in_its_parts_is_never_published(
    storage: Storage, numbers: tuple[int, ...]
) -> None:
    with storage.start_upload(KEY) as sending:
        for number in numbers:
            sending.send_part(number, b"part")
        with pytest.raises(ValueError, match="parts are missing"):
            sending.complete()
    assert list(storage.list("")) == []


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 0), (0, 1), (0, 10), (0, None), (3, 7), (3, None), (9, 10), (9, 99), (10, None),
        (10, 20), (99, None), (5, 5), (7, 3), (-1, None), (-4, None), (-10, None), (-99, None),
    ],
)  # fmt: skip
def test_a_range_is_what_a_slice_is(storage: Storage, start: int, end: int | None) -> None:
    storage.put(KEY, b"0123456789")
    assert b"".join(storage.get(KEY, start, end)) == b"0123456789"[start:end]


@pytest.mark.parametrize("start", [0, 1, -1])
def test_an_empty_object_has_empty_ranges(storage: Storage, start: int) -> None:
    storage.put(KEY, b"")
    assert b"".join(storage.get(KEY, start)) == b""


def test_a_download_may_be_left_in_the_middle(storage: Storage) -> None:
    upload(storage, CONTENT)
    chunks = storage.get(KEY)
    assert CONTENT.startswith(next(chunks))
    del chunks
    assert storage.head(KEY).size == len(CONTENT)


def test_small_objects_are_put_and_read_whole(storage: Storage) -> None:
    put = storage.put(KEY, b'{"a": 1}', content_type="application/json")
    assert (put.key, put.size) == (KEY, 8)
    assert storage.get_bytes(KEY, limit=8) == b'{"a": 1}'


def test_a_put_replaces_what_was_there(storage: Storage) -> None:
    storage.put(KEY, b"first")
    storage.put(KEY, b"2nd")
    assert storage.get_bytes(KEY, limit=10) == b"2nd"


def test_a_new_object_never_replaces_another(storage: Storage) -> None:
    assert storage.put_new(KEY, b"first").size == 5
    with pytest.raises(StorageError) as caught:
        storage.put_new(KEY, b"2nd")
    assert caught.value.code == "STORAGE_OBJECT_EXISTS"
    assert storage.get_bytes(KEY, limit=10) == b"first"


def test_get_bytes_refuses_more_than_its_limit(storage: Storage) -> None:
    storage.put(KEY, b"12345")
    with pytest.raises(TooLarge):
        storage.get_bytes(KEY, limit=4)


def test_a_missing_key_is_said_to_be_missing(storage: Storage) -> None:
    for ask in (
        lambda: storage.head(KEY),
        lambda: read(storage, KEY),
        lambda: read(storage, KEY, -5),
        lambda: storage.get_bytes(KEY, limit=10),
    ):
        with pytest.raises(NotFound) as caught:
            ask()
        assert caught.value.code == "STORAGE_KEY_MISSING"


def test_delete_removes_and_is_content_with_nothing(storage: Storage) -> None:
    storage.put(KEY, b"x")
    storage.delete(KEY)
    storage.delete(KEY)
    with pytest.raises(NotFound):
        storage.head(KEY)


def test_a_list_holds_what_begins_with_the_prefix_and_nothing_else(storage: Storage) -> None:
    for key in ("backups/a b+c&é.txt", "backups/sub/x", "backups-not/x", "other"):
        storage.put(key, key.encode())
    found = {item.key: item.size for item in storage.list("backups/")}
    keys = ("backups/a b+c&é.txt", "backups/sub/x")
    assert found == {key: len(key.encode()) for key in keys}


def test_more_than_a_thousand_objects_are_listed_whole(storage: Storage) -> None:
    keys = {f"backups/{number:05}" for number in range(1_205)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: storage.put(key, b"x"), keys))
    assert sorted(item.key for item in storage.list("backups/")) == sorted(keys)


def test_no_upload_stays_open_on_the_server(server_config: StorageConfig) -> None:
    storage = open_storage(server_config)
    upload(storage, b"published")
    with storage.start_upload("backups/left") as sending:
        sending.send_part(1, b"half")
    answer = s3_client(server_config).list_multipart_uploads(Bucket=server_config.bucket)
    assert answer.get("Uploads", []) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bucket": "no-such-bucket-here"}, "STORAGE_BUCKET_MISSING"),
        ({"secret_key": "wrong" * 8}, "STORAGE_CREDENTIALS"),
        ({"access_key": "AKIAWRONGWRONGWRONG1"}, "STORAGE_CREDENTIALS"),
        ({"endpoint": "http://127.0.0.1:1"}, "STORAGE_UNREACHABLE"),
        ({"endpoint": "http://name.invalid"}, "STORAGE_UNREACHABLE"),
    ],
)
def test_what_is_wrong_is_named(
    server_config: StorageConfig, change: dict[str, str], code: str
) -> None:
    storage = open_storage(replace(server_config, **change), patience=IMPATIENT)
    with pytest.raises(StorageError) as caught:
        storage.check()
    assert caught.value.code == code
    assert caught.value.hint
    unreachable = code == "STORAGE_UNREACHABLE"
    assert caught.value.message.startswith("Failed to connect to S3: ") == unreachable
    told = caught.value.message + caught.value.hint
    for secret in (server_config.secret_key, change.get("secret_key"), change.get("access_key")):
        assert secret is None or secret not in told


def test_credentials_of_the_machine_are_never_used(
    server_config: StorageConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server_config.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server_config.secret_key)
    with pytest.raises(StorageError) as caught:
        open_storage(replace(server_config, access_key="", secret_key=""))
    assert caught.value.code == "STORAGE_CREDENTIALS"


def test_an_instance_role_uses_the_credentials_of_the_machine(
    server_config: StorageConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server_config.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server_config.secret_key)
    role = replace(server_config, access_key="", secret_key="", use_instance_role=True)
    open_storage(role).check()


def test_the_machines_own_aws_settings_change_nothing(
    server_config: StorageConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "stale")
    open_storage(server_config, patience=IMPATIENT).check()
