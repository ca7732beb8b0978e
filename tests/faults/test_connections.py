"""Rows 30 to 34: connections that break, servers that are busy, silent or slow."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.bucket import (
    BUSY,
    COMPLETE,
    ONCE,
    PART,
    QUICK,
    Place,
    backup,
    nothing_half,
    refusal,
    whole,
)
from tests.support.fault_proxy import Answer, Fault, FaultProxy
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import JobStopped, StorageError
from worker.engine.progress import Progress
from worker.engine.storage.s3 import Patience, open_storage


@pytest.mark.parametrize("size", [0, 1, 65_537, 8 * 1024 * 1024 - 1])
@pytest.mark.parametrize("place", ["seaweedfs http"], indirect=True)
def test_row_30_a_connection_that_breaks_in_the_middle_of_a_part(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig, tmp_path: Path, size: int
) -> None:
    proxy.faults = [Fault("PUT", PART, times=2, reset=size)]
    made = backup(plan, open_storage(config, patience=QUICK))
    assert proxy.faults[0].times == 0
    whole(plan, config, made.key, tmp_path / "back")


def test_row_30_a_connection_that_breaks_on_any_server_in_any_way(
    small: PlanConfig, place: Place, tmp_path: Path
) -> None:
    place.proxy.faults = [Fault("PUT", PART, times=2, reset=70_000), Fault("GET", cut=10)]
    made = backup(small, open_storage(place.config, patience=QUICK))
    assert place.proxy.faults[0].times == 0
    whole(small, place.config, made.key, tmp_path / "back")
    nothing_half(small, place.config, listed=1)


def test_row_31_a_server_that_is_busy_now_and_then(
    plan: PlanConfig, place: Place, tmp_path: Path
) -> None:
    faults = [Fault(method, times=9, every=3, instead=BUSY) for method in ("PUT", "POST")]
    place.proxy.faults = faults
    made = backup(plan, open_storage(place.config, patience=Patience(attempts=2, seconds=60)))
    assert sum(fault.times for fault in faults) < 18
    place.proxy.faults = []
    whole(plan, place.config, made.key, tmp_path / "back")


@pytest.mark.parametrize("answer", [BUSY, refusal(429, "TooManyRequests")])
def test_row_32_a_server_that_stays_busy(plan: PlanConfig, place: Place, answer: Answer) -> None:
    kept = backup(plan, open_storage(place.config))
    (plan.data_dir / "media.bin").write_bytes(os.urandom(20 * 1024 * 1024))
    place.proxy.faults = [Fault("PUT", PART, times=999, instead=answer)]
    with pytest.raises(StorageError) as caught:
        backup(plan, open_storage(place.config, patience=ONCE), days=1)
    assert caught.value.hint == "Try again later."
    assert kept.key in {one.key for one in list_backups(open_storage(place.config), plan)}
    nothing_half(plan, place.config, listed=1)


def test_row_33_a_server_that_takes_requests_and_never_answers(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig
) -> None:
    proxy.faults = [Fault("PUT", PART, times=999, hang=True)]
    with pytest.raises(StorageError) as caught:
        backup(plan, open_storage(config, patience=replace(ONCE, read=3)))
    assert caught.value.code == "STORAGE_UNREACHABLE"
    assert "did not answer in time" in caught.value.message
    nothing_half(plan, config, listed=0)


def test_row_33_silence_that_ends_is_outlived(
    plan: PlanConfig, place: Place, tmp_path: Path
) -> None:
    place.proxy.faults = [Fault("PUT", PART, times=1, hang=True)]
    made = backup(plan, open_storage(place.config, patience=replace(QUICK, read=3)))
    whole(plan, place.config, made.key, tmp_path / "back")


def test_row_34_answers_that_drip_are_waited_for(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig, tmp_path: Path
) -> None:
    proxy.faults = [Fault("POST", COMPLETE, drip=0.005), Fault("GET", "metadata", drip=0.005)]
    made = backup(plan, open_storage(config, patience=QUICK))
    whole(plan, config, made.key, tmp_path / "back")


class Watchful(Progress):
    """Sees, as the watchdog of a worker does, that nothing moves once a part is on its way."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy

    def checkpoint(self) -> None:
        if any(PART in line for line in self.proxy.seen):
            raise JobStopped("Nothing moved for long", code="STALLED")


def test_row_34_an_answer_that_never_ends_is_no_reason_to_wait_for_ever(
    plan: PlanConfig, proxy: FaultProxy, config: StorageConfig
) -> None:
    proxy.faults = [Fault("PUT", PART, times=999, trickle=0.2)]
    with pytest.raises(JobStopped) as caught:
        backup(plan, open_storage(config), progress=Watchful(proxy))
    assert caught.value.code == "STALLED"
    nothing_half(plan, config, listed=0)
