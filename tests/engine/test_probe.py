"""What the probe finds out about real servers, and about ones that a proxy makes worse."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.support.certificates import Authority
from tests.support.fault_proxy import Answer, Fault, FaultProxy
from tests.support.memory_storage import MemoryStorage
from tests.support.rclone import RcloneS3
from tests.support.s3client import s3_client
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import StorageError
from worker.engine.storage.capabilities import Capabilities, key_of, load, save
from worker.engine.storage.provider import guess
from worker.engine.storage.s3 import open_storage
from worker.engine.storage.s3_probe import MIB, Probe

PLAN = PlanConfig()
NOW = datetime(2026, 1, 2, tzinfo=UTC)
UNEQUAL = b"<Error><Code>InvalidPart</Code><Message>All parts must be equal</Message></Error>"
BUSY = Answer(503, [], b"<Error><Code>SlowDown</Code></Error>")


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneS3]:
    server = RcloneS3(tmp_path_factory.mktemp("rclone"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca") / "ca")


@pytest.fixture
def proxy(storage_config: StorageConfig) -> Iterator[FaultProxy]:
    proxy = FaultProxy(storage_config.endpoint)
    yield proxy
    proxy.stop()


def probe(config: StorageConfig) -> Capabilities:
    with Probe(config, PLAN) as trial:
        assert trial.read_back()
        trial.delete()
        found = trial.run()
    assert list(open_storage(config).list("")) == []
    assert list(open_storage(config).uploads("")) == []
    return found


def known(found: Capabilities) -> Capabilities:
    assert abs(found.skew_seconds) < 60
    return replace(found, skew_seconds=0.0)


SEAWEED = Capabilities(
    provider="SeaweedFS",
    multipart=True,
    min_part=5 * MIB,
    equal_parts=False,
    range_copy=True,
    copy_if_match=True,
    conditional_put=True,
    checks_md5=True,
    checks_sha256=True,
    trailers=True,
    versioning=False,
    object_lock=False,
    skew_seconds=0.0,
)
RCLONE = replace(
    SEAWEED,
    provider="unknown",
    range_copy=False,
    copy_if_match=False,
    conditional_put=False,
    checks_sha256=False,
)


def test_seaweedfs_over_http(storage_config: StorageConfig) -> None:
    assert known(probe(storage_config)) == SEAWEED


def test_rclone_over_http(rclone: RcloneS3) -> None:
    assert known(probe(rclone.new_bucket(uuid.uuid4().hex))) == RCLONE


def over_tls(config: StorageConfig, authority: Authority, name: str) -> Capabilities:
    proxy = FaultProxy(config.endpoint, certificate=authority.certificate(name))
    try:
        return known(probe(replace(config, endpoint=proxy.endpoint, ca_bundle=authority.bundle)))
    finally:
        proxy.stop()


def test_seaweedfs_over_https(storage_config: StorageConfig, authority: Authority) -> None:
    assert over_tls(storage_config, authority, "seaweed") == SEAWEED


def test_rclone_over_https_refuses_trailing_checksums(
    rclone: RcloneS3, authority: Authority
) -> None:
    config = rclone.new_bucket(uuid.uuid4().hex)
    assert over_tls(config, authority, "rclone") == replace(RCLONE, trailers=False)


def test_versions_and_object_lock_are_seen_and_nothing_is_left_behind(
    storage_config: StorageConfig,
) -> None:
    config = replace(storage_config, bucket=f"lock-{uuid.uuid4().hex[:12]}")
    client = s3_client(config)
    client.create_bucket(Bucket=config.bucket, ObjectLockEnabledForBucket=True)
    found = probe(config)
    assert (found.versioning, found.object_lock) == (True, True)
    left = client.list_object_versions(Bucket=config.bucket)
    assert (left.get("Versions", []), left.get("DeleteMarkers", [])) == ([], [])


def test_a_provider_that_wants_equal_parts_is_known_by_its_refusal(
    proxy: FaultProxy, storage_config: StorageConfig
) -> None:
    proxy.faults = [Fault("POST", "-unequal?uploadId", times=9, instead=Answer(400, [], UNEQUAL))]
    found = probe(replace(storage_config, endpoint=proxy.endpoint))
    assert (found.equal_parts, found.min_part, found.range_copy) == (True, 5 * MIB, True)


def test_a_copy_that_differs_is_no_copy(proxy: FaultProxy, storage_config: StorageConfig) -> None:
    def spoil(answer: Answer) -> Answer:
        return replace(answer, body=b"X" + answer.body[1:])

    proxy.faults = [Fault("GET", "-copied", times=9, answer=spoil)]
    found = probe(replace(storage_config, endpoint=proxy.endpoint))
    assert (found.range_copy, found.copy_if_match) == (False, False)


def test_a_server_that_copies_whatever_the_condition_says_is_found_out(
    proxy: FaultProxy, storage_config: StorageConfig
) -> None:
    copied = b'<CopyPartResult><ETag>"0123"</ETag></CopyPartResult>'
    proxy.faults = [
        # Two copies go through; the third has the wrong condition.
        Fault("PUT", "-copied?", every=3, instead=Answer(200, [], copied))
    ]
    found = probe(replace(storage_config, endpoint=proxy.endpoint))
    assert (found.range_copy, found.copy_if_match) == (True, False)


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_clock_that_differs_is_told(
    proxy: FaultProxy, storage_config: StorageConfig, minutes: int
) -> None:
    def shifted(answer: Answer) -> Answer:
        others = [(n, v) for n, v in answer.headers if n.lower() != "date"]
        then = datetime.now(UTC) + timedelta(minutes=minutes)
        return replace(answer, headers=[*others, ("Date", format_datetime(then, usegmt=True))])

    proxy.faults = [Fault("GET", "list-type=2", times=1, answer=shifted)]
    with Probe(replace(storage_config, endpoint=proxy.endpoint), PLAN) as trial:
        found = trial.run()
    assert abs(found.skew_seconds - minutes * 60) < 60


def test_a_busy_server_is_not_taken_for_one_that_cannot(
    proxy: FaultProxy, storage_config: StorageConfig
) -> None:
    proxy.faults = [Fault("PUT", "-present", times=99, instead=BUSY)]
    config = replace(storage_config, endpoint=proxy.endpoint)
    with Probe(config, PLAN) as trial, pytest.raises(StorageError, match="SlowDown"):
        trial.run()
    assert list(open_storage(config).list("")) == []


def test_what_was_found_is_kept_for_thirty_days_for_this_endpoint_and_bucket() -> None:
    storage, config = MemoryStorage(), StorageConfig("bucket", endpoint="http://one")
    save(storage, PLAN, config, SEAWEED, now=NOW)
    assert load(storage, PLAN, config, now=NOW + timedelta(days=29)) == SEAWEED
    assert load(storage, PLAN, config, now=NOW + timedelta(days=31)) is None
    assert load(storage, PLAN, replace(config, endpoint="http://two"), now=NOW) is None
    assert load(storage, PLAN, replace(config, bucket="other"), now=NOW) is None
    assert load(MemoryStorage(), PLAN, config, now=NOW) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"at": 1}', b"x" * 100_000, b'{"version": 1, "at": "2026-01-02"}'],
)
def test_what_somebody_else_wrote_there_is_no_knowledge(content: bytes) -> None:
    storage, config = MemoryStorage(), StorageConfig("bucket")
    storage.put(key_of(PLAN), content)
    assert load(storage, PLAN, config, now=NOW) is None


def test_a_field_of_another_kind_is_no_knowledge() -> None:
    storage, config = MemoryStorage(), StorageConfig("bucket")
    save(storage, PLAN, config, SEAWEED, now=NOW)
    content = storage.get_bytes(key_of(PLAN), limit=10_000)
    storage.put(key_of(PLAN), content.replace(b'"range_copy": true', b'"range_copy": "yes"'))
    assert load(storage, PLAN, config, now=NOW) is None


@pytest.mark.parametrize(
    ("endpoint", "headers", "name"),
    [
        ("", {"server": "AmazonS3"}, "AWS S3"),
        ("https://abc.r2.cloudflarestorage.com", {}, "Cloudflare R2"),
        ("https://s3.eu-central-003.backblazeb2.com", {}, "Backblaze B2"),
        ("https://notwasabisys.com", {}, "unknown"),
        ("http://10.0.0.1:9000", {"server": "MinIO"}, "MinIO"),
        ("http://10.0.0.1:9000", {"server": "AmazonS3"}, "unknown"),
        ("http://10.0.0.1", {"x-rgw-object-type": "Normal"}, "Ceph"),
    ],
)
def test_providers_are_guessed_by_address_and_introduction(
    endpoint: str, headers: dict[str, str], name: str
) -> None:
    assert guess(endpoint, headers) == name
