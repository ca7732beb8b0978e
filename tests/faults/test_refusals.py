"""Rows 39 to 46: what servers ignore, refuse and deny."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.bucket import (
    DENIED,
    ONCE,
    QUICK,
    SEAWEEDFS,
    Heard,
    backup,
    nothing_half,
    refusal,
    whole,
)
from tests.support.certificates import Authority
from tests.support.fault_proxy import Answer, Fault, FaultProxy, Request
from tests.support.rclone import RcloneS3
from tests.support.s3client import s3_client
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import StorageError
from worker.engine.janitor import tidy
from worker.engine.naming import metadata_key
from worker.engine.storage.s3 import open_storage
from worker.engine.storage.s3_probe import Probe


def test_row_39_nothing_is_replaced_where_conditions_are_ignored(
    plan: PlanConfig, rclone: RcloneS3, tmp_path: Path
) -> None:
    config = rclone.new_bucket(uuid.uuid4().hex)
    with Probe(config, plan) as probe:
        assert not probe.run().conditional_put
    storage = open_storage(config)
    made = backup(plan, storage)
    before = storage.get_bytes(metadata_key(made.key), limit=10_000)
    with pytest.raises(StorageError) as caught:
        storage.put_new(metadata_key(made.key), b"another run's")
    assert caught.value.code == "STORAGE_OBJECT_EXISTS"
    assert storage.get_bytes(metadata_key(made.key), limit=10_000) == before
    whole(plan, config, made.key, tmp_path / "back")


@pytest.mark.parametrize("answer", [None, refusal(501, "NotImplemented")])
def test_row_39_a_put_whose_answer_was_lost_is_known_again(
    proxy: FaultProxy, config: StorageConfig, answer: Answer | None
) -> None:
    proxy.faults = [Fault("PUT", "key", cut=None if answer else -1, instead=answer)]
    storage = open_storage(config, patience=QUICK)
    assert storage.put_new("key", b"content").size == 7
    assert storage.get_bytes("key", limit=10) == b"content"


def test_row_40_a_server_that_refuses_trailing_checksums(
    plan: PlanConfig, rclone: RcloneS3, authority: Authority, tmp_path: Path
) -> None:
    config = rclone.new_bucket(uuid.uuid4().hex)
    proxy = FaultProxy(config.endpoint, certificate=authority.certificate("trailers"))
    try:
        tls = replace(config, endpoint=proxy.endpoint, ca_bundle=authority.bundle)
        with Probe(tls, plan) as probe:
            assert not probe.run().trailers
        made = backup(plan, open_storage(tls))
        whole(plan, tls, made.key, tmp_path / "back")
    finally:
        proxy.stop()


def test_row_42_writing_is_denied(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig
) -> None:
    proxy.faults = [Fault(method, times=99, instead=DENIED) for method in ("PUT", "POST")]
    with pytest.raises(StorageError) as caught:
        backup(plan, open_storage(config, patience=ONCE))
    assert (caught.value.code, "put" in caught.value.hint) == ("STORAGE_DENIED", True)
    assert "CreateMultipartUpload of 'backups/whatsapp-data-backup-2026" in caught.value.message
    nothing_half(plan, config, listed=0)


def test_row_42_deleting_is_denied_and_the_backup_is_made_all_the_same(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig, tmp_path: Path
) -> None:
    old = backup(plan, open_storage(config))
    proxy.faults = [Fault("DELETE", times=99, instead=DENIED)]
    heard = Heard()
    made = backup(plan, open_storage(config, patience=ONCE), days=1, progress=heard)
    assert [one.code for one in heard.warnings] == ["PRUNE_FAILED"]
    assert f"DeleteObject of '{old.key}.metadata.json'" in heard.warnings[0].message
    assert made.pruned == ()
    whole(plan, config, made.key, tmp_path / "back")
    whole(plan, config, old.key, tmp_path / "old")


def test_row_42_listing_is_denied(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig
) -> None:
    proxy.faults = [Fault("GET", "list-type=2", times=99, instead=DENIED)]
    storage = open_storage(config, patience=ONCE)
    for ask in (lambda: storage.check("backups/"), lambda: list_backups(storage, plan)):
        with pytest.raises(StorageError) as caught:
            ask()
        assert caught.value.code == "STORAGE_DENIED"
        assert "ListObjectsV2 was refused" in caught.value.message


def test_row_42_keys_that_may_list_the_prefix_only_pass_the_check(
    proxy: FaultProxy, config: StorageConfig
) -> None:
    """As a policy with a condition on s3:prefix does it."""
    proxy.faults = [Fault("GET", "prefix=&", times=99, instead=DENIED)]
    storage = open_storage(config, patience=ONCE)
    storage.check("backups/")
    with pytest.raises(StorageError):
        storage.check()


def test_row_43_a_bucket_that_is_made_late_or_lies_elsewhere(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig, tmp_path: Path
) -> None:
    late = replace(config, bucket=f"late-{uuid.uuid4().hex[:12]}")
    with pytest.raises(StorageError) as missing:
        backup(plan, open_storage(late, patience=ONCE))
    assert missing.value.code == "STORAGE_BUCKET_MISSING"
    s3_client(late).create_bucket(Bucket=late.bucket)
    whole(plan, late, backup(plan, open_storage(late)).key, tmp_path / "back")
    proxy.faults = [Fault("GET", times=99, instead=refusal(301, "PermanentRedirect"))]
    with pytest.raises(StorageError, match="another region") as elsewhere:
        open_storage(late, patience=ONCE).check()
    assert "BACKUP_S3_REGION" in elsewhere.value.hint


@SEAWEEDFS
def test_row_44_a_clock_that_is_twenty_minutes_off(
    proxy: FaultProxy, config: StorageConfig
) -> None:
    """The server itself refuses a request whose time is not its own."""

    def backdate(request: Request) -> Request:
        then = datetime.now(UTC) - timedelta(minutes=20)
        others = [(n, v) for n, v in request.headers if n.lower() != "x-amz-date"]
        dated = [*others, ("X-Amz-Date", f"{then:%Y%m%dT%H%M%SZ}")]
        return replace(request, headers=dated)

    proxy.faults = [Fault("GET", times=9, request=backdate)]
    with pytest.raises(StorageError) as caught:
        open_storage(config, patience=ONCE).check()
    assert caught.value.code == "STORAGE_CLOCK_SKEW"
    assert "clock" in caught.value.hint


@pytest.mark.parametrize("wrong", ["self-signed", "expired", "wrong host", "unknown authority"])
def test_row_45_a_certificate_that_proves_nothing_is_refused(
    storage_config: StorageConfig, authority: Authority, wrong: str
) -> None:
    name = wrong.replace(" ", "-")
    if wrong == "self-signed":
        certificate = authority.self_signed(name)
    else:
        host = "DNS:elsewhere.example" if wrong == "wrong host" else "IP:127.0.0.1"
        certificate = authority.certificate(name, host=host, expired=wrong == "expired")
    trusted = None if wrong == "unknown authority" else authority.bundle
    proxy = FaultProxy(storage_config.endpoint, certificate=certificate)
    config = replace(storage_config, endpoint=proxy.endpoint, ca_bundle=trusted)
    try:
        with pytest.raises(StorageError) as caught:
            open_storage(config, patience=ONCE).check()
    finally:
        proxy.stop()
    assert caught.value.code == "STORAGE_UNREACHABLE"
    assert "TLS" in caught.value.message
    assert proxy.seen == []


def test_row_45_an_authority_of_ones_own_is_trusted_when_named(
    plan: PlanConfig, storage_config: StorageConfig, authority: Authority, tmp_path: Path
) -> None:
    proxy = FaultProxy(storage_config.endpoint, certificate=authority.certificate("right"))
    config = replace(storage_config, endpoint=proxy.endpoint, ca_bundle=authority.bundle)
    try:
        whole(plan, config, backup(plan, open_storage(config)).key, tmp_path / "back")
    finally:
        proxy.stop()


def test_row_46_keys_that_are_replaced_while_a_backup_runs(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig, tmp_path: Path
) -> None:
    unknown = refusal(403, "InvalidAccessKeyId")
    proxy.faults = [
        Fault("PUT", "partNumber=1", answer=lambda answer: answer),
        *[Fault(method, times=99, instead=unknown) for method in ("PUT", "DELETE", "HEAD")],
    ]
    with pytest.raises(StorageError) as caught:
        backup(plan, open_storage(config, patience=QUICK))
    assert caught.value.code == "STORAGE_CREDENTIALS"
    proxy.faults = []
    storage = open_storage(config)
    tidy(storage, plan, now=datetime.now(UTC) + timedelta(days=2))
    nothing_half(plan, config, listed=0)
    whole(plan, config, backup(plan, storage, days=1).key, tmp_path / "back")
