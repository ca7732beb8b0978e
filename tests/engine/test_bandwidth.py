"""The limit on uploads, by a clock that only moves when somebody waits."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.config import StorageConfig
from worker.engine.storage.bandwidth import Bandwidth
from worker.engine.storage.outgoing import STEP, Outgoing
from worker.engine.storage.s3 import open_storage
from worker.engine.storage.s3_retry import unheard


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@given(st.lists(st.integers(1, 100_000), min_size=1), st.integers(1, 1_000_000))
def test_no_more_is_sent_than_the_limit_allows_after_the_first_second(
    sizes: list[int], limit: int
) -> None:
    clock = Clock()
    bandwidth = Bandwidth(limit, clock=clock.read, sleep=clock.sleep)
    for size in sizes:
        bandwidth.take(size)
    taken = clock.now - 1000.0
    assert sum(sizes) <= limit * (taken + 1) * 1.0001
    assert taken <= sum(sizes) / limit


def test_time_in_which_nothing_was_sent_is_not_saved_up() -> None:
    clock = Clock()
    bandwidth = Bandwidth(100, clock=clock.read, sleep=clock.sleep)
    clock.now += 3600
    bandwidth.take(200)
    assert clock.now == pytest.approx(1000 + 3600 + 1)


def test_a_body_under_a_limit_is_read_no_faster_and_can_be_read_again() -> None:
    data = bytearray(os.urandom(100_000))
    clock = Clock()
    bandwidth = Bandwidth(10_000, clock=clock.read, sleep=clock.sleep)
    body = Outgoing(data, pulse=unheard, bandwidth=bandwidth)
    assert (len(body), body.tell(), body.seek(0, 2)) == (100_000, 0, 100_000)
    for _ in range(2):
        assert body.seek(0) == 0
        pieces = list(iter(lambda: body.read(16_384), b""))
        assert max(len(piece) for piece in pieces) == 16_384
        assert b"".join(pieces) == data
    assert body.seek(-5, 2) == 99_995
    assert body.read() == data[-5:]
    assert clock.now == pytest.approx(1000 + 20 - 1, abs=0.01)


def test_each_piece_that_leaves_is_a_sign_of_life(storage_config: StorageConfig) -> None:
    beats: list[int] = []
    storage = open_storage(storage_config, pulse=lambda: beats.append(1))
    content = os.urandom(6 * 1024 * 1024)
    with storage.start_upload("key") as upload:
        upload.send_part(1, content)
        upload.complete()
    assert len(beats) >= len(content) // STEP
    beats.clear()
    assert b"".join(storage.get("key")) == content
    assert len(beats) == 6


def test_a_limited_upload_arrives_byte_for_byte(storage_config: StorageConfig) -> None:
    storage = open_storage(replace(storage_config, upload_limit=64 * 1024 * 1024))
    content = bytearray(os.urandom(6 * 1024 * 1024))
    with storage.start_upload("key") as upload:
        upload.send_part(1, content)
        upload.complete()
    assert b"".join(storage.get("key")) == content
