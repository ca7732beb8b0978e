"""Parts made of bytes and copies in any order, under S3's rule of how small a part may be."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.memory_storage import MemoryStorage, MemoryUpload
from worker.engine.capture import parts
from worker.engine.capture.joining import Joiner
from worker.engine.capture.parts import PartWriter
from worker.engine.capture.pieces import Copy
from worker.engine.errors import StorageError
from worker.engine.reuse.refused import NotReused

KEY, BASE = "backups/new.tar.gz", "backups/old.tar.gz"
LEAST, SIZE = 50, 80

sizes = st.integers(1, 3 * LEAST) | st.integers(1, 5)
steps = st.lists(st.tuples(st.booleans(), sizes, st.integers(0, 900)), max_size=40)


def base_in(storage: MemoryStorage) -> tuple[bytes, str]:
    content = os.urandom(1100)
    return content, storage.put(BASE, content).etag


@settings(deadline=None)
@given(steps=steps, joins=st.booleans(), limit=st.sampled_from([2 * LEAST, 10_000]))
def test_bytes_and_copies_come_out_in_their_order(
    steps: list[tuple[bool, int, int]], limit: int, *, joins: bool
) -> None:
    storage = MemoryStorage(least_part=LEAST)
    content, etag = base_in(storage)
    wanted, copied = bytearray(), 0
    with storage.start_upload(KEY) as upload:
        joiner = Joiner(upload, storage, KEY, {}) if joins else None
        with PartWriter(upload, SIZE, least=LEAST, joiner=joiner, largest_copy=limit) as writer:
            for is_copy, size, start in steps:
                if is_copy and writer.takes(size):
                    writer.copy(Copy(BASE, etag, start, start + size))
                    copied += size
                else:
                    writer.write(content[start : start + size])
                wanted += content[start : start + size]
                assert (writer.position, writer.copied) == (len(wanted), copied)
            writer.finish()
            writer.complete()
    assert storage.objects[KEY][0] == wanted
    assert set(storage.objects) == {KEY, BASE}
    assert storage.uploads_open == {}


def test_a_short_copy_needs_something_large_before_it_and_a_way_to_be_joined() -> None:
    storage = MemoryStorage(least_part=LEAST)
    _, etag = base_in(storage)
    with storage.start_upload(KEY) as upload:
        joiner = Joiner(upload, storage, KEY, {})
        with PartWriter(upload, SIZE, least=LEAST, joiner=joiner) as writer:
            assert not writer.takes(LEAST - 1)
            assert writer.takes(LEAST)
            writer.write(b"x" * 10)
            assert not writer.takes(LEAST)
            writer.write(b"x" * SIZE)
            assert writer.takes(1)
        with PartWriter(upload, SIZE, least=LEAST) as writer:
            writer.copy(Copy(BASE, etag, 0, LEAST))
            assert not writer.takes(LEAST - 1)
            writer.write(b"x" * (LEAST - 1))
            assert not writer.takes(LEAST)
            writer.write(b"x")
            assert writer.takes(LEAST)


def test_joins_are_limited_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MOST_JOINS", 3)
    storage = MemoryStorage(least_part=LEAST)
    _, etag = base_in(storage)
    with storage.start_upload(KEY) as upload:
        joiner = Joiner(upload, storage, KEY, {})
        with PartWriter(upload, SIZE, least=LEAST, joiner=joiner) as writer:
            writer.copy(Copy(BASE, etag, 0, LEAST))
            taken = 0
            while writer.takes(1) and taken < 10:
                writer.copy(Copy(BASE, etag, 100 + 2 * taken, 101 + 2 * taken))
                taken += 1
            assert 3 <= taken <= 4
            writer.finish()
            writer.complete()
    assert set(storage.objects) == {KEY, BASE}


def send(storage: MemoryStorage, *steps: bytes | Copy) -> None:
    with storage.start_upload(KEY) as upload:
        joiner = Joiner(upload, storage, KEY, {})
        with PartWriter(upload, SIZE, least=LEAST, joiner=joiner) as writer:
            for step in steps:
                if isinstance(step, Copy):
                    writer.copy(step)
                else:
                    writer.write(step)
            writer.finish()


def test_a_replaced_source_means_that_nothing_is_reused_and_nothing_is_left() -> None:
    storage = MemoryStorage(least_part=LEAST)
    base_in(storage)
    with pytest.raises(NotReused):
        send(storage, b"x" * SIZE, Copy(BASE, "another", 0, 5), b"x")
    assert set(storage.objects) == {BASE}
    assert storage.uploads_open == {}


class NoMoreUploads(MemoryStorage):
    def start_upload(self, key: str, **how: Any) -> MemoryUpload:
        if key != KEY:
            raise StorageError("the line is down", code="STORAGE_UNREACHABLE")
        return super().start_upload(key, **how)


def test_trouble_on_the_line_is_no_refusal() -> None:
    storage = NoMoreUploads(least_part=LEAST)
    _, etag = base_in(storage)
    with pytest.raises(StorageError, match="the line is down"):
        send(storage, Copy(BASE, etag, 0, LEAST), b"x", Copy(BASE, etag, 0, 5), b"x" * SIZE)
