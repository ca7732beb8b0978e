"""An object read by several requests at once comes in order, whole, and in bounded memory."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.counting_storage import CountingStorage
from tests.engine.packing import Heard
from tests.support.memory_storage import MemoryStorage
from worker.engine.archive.ranged import SPAN, Span, cut, read_spans
from worker.engine.archive.reader import open_archive
from worker.engine.backup import run_backup
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import ArchiveError, KeyMismatch, StorageError
from worker.engine.storage.s3 import S3Storage, open_storage

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PASSPHRASE = "correct horse battery staple, and then some"


@settings(max_examples=100, deadline=None)
@given(
    content=st.binary(max_size=200),
    start=st.integers(0, 20),
    span=st.integers(1, 50),
    workers=st.integers(1, 5),
)
def test_spans_put_together_are_the_object(
    content: bytes, start: int, span: int, workers: int
) -> None:
    storage = MemoryStorage()
    storage.put("k", content)
    spans = read_spans(storage, "k", cut(start, len(content), span), workers=workers)
    assert b"".join(b"".join(chunks) for chunks in spans) == content[start:]


def test_no_more_is_fetched_ahead_than_may_be_held() -> None:
    storage = MemoryStorage()
    storage.put("k", bytes(1000))
    asked: list[Span] = []

    def spans() -> Iterator[Span]:
        for span in cut(0, 1000, 10):
            asked.append(span)
            yield span

    reading = read_spans(storage, "k", spans(), workers=3)
    for taken in range(1, 20):
        next(reading)
        assert len(asked) <= taken + 3
    reading.close()


class Fails(MemoryStorage):
    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        if start == 30:
            raise StorageError("The line is dead.")
        return super().get(key, start, end)


def test_a_failure_comes_at_its_place_and_ends_the_threads() -> None:
    storage = Fails()
    storage.put("k", bytes(100))
    reading = read_spans(storage, "k", cut(0, 100, 10))
    assert [len(b"".join(next(reading))) for _ in range(3)] == [10, 10, 10]
    with pytest.raises(StorageError):
        next(reading)
    assert not [t for t in threading.enumerate() if t.name.startswith("ranged")]


@pytest.fixture
def storage(storage_config: StorageConfig) -> S3Storage:
    return open_storage(storage_config)


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(4):
        (data / f"{number}.bin").write_bytes(os.urandom(SPAN - 1000 * number))
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", encryption_key=PASSPHRASE)


def read_through(plan: PlanConfig, storage: CountingStorage, key: str) -> int:
    backup = find_backup(storage, plan, key)
    with open_archive(storage, plan, backup, Heard()) as stream:
        return sum(len(piece) for piece in iter(lambda: stream.read(1 << 20), b""))


def test_a_large_archive_is_read_by_ranges_and_verified(
    plan: PlanConfig, storage: S3Storage
) -> None:
    made, counting = run_backup(plan, storage, Heard(), now=NOW), CountingStorage(storage)
    assert read_through(plan, counting, made.key) > made.data_size
    assert counting.requests.count(("get", made.key)) > 3
    archive = bytearray(b"".join(storage.get(made.key)))
    for broken in (archive[:-1], archive[: SPAN * 2], archive[:SPAN] + archive[SPAN + 1 :]):
        storage.put(made.key, bytes(broken))
        with pytest.raises(ArchiveError):
            read_through(plan, counting, made.key)


def test_a_large_plain_archive_is_held_to_its_checksum(
    plan: PlanConfig, storage: S3Storage
) -> None:
    plan = dataclasses.replace(plan, encryption_key=None)
    made, counting = run_backup(plan, storage, Heard(), now=NOW), CountingStorage(storage)
    assert read_through(plan, counting, made.key) > made.data_size
    archive = bytearray(b"".join(storage.get(made.key)))
    archive[4] ^= 1  # a gzip header's time, which nothing else looks at
    storage.put(made.key, bytes(archive))
    with pytest.raises(ArchiveError) as caught:
        read_through(plan, counting, made.key)
    assert caught.value.code == "ARCHIVE_CHECKSUM"


def test_a_wrong_key_costs_one_header(plan: PlanConfig, storage: S3Storage) -> None:
    made, counting = run_backup(plan, storage, Heard(), now=NOW), CountingStorage(storage)
    wrong = dataclasses.replace(plan, encryption_key="another key of at least 32 characters")
    with pytest.raises(KeyMismatch):
        read_through(wrong, counting, made.key)
    assert counting.moved == 64
