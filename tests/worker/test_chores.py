"""Long work goes on beside the ticks, one of each kind at a time."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from worker import periodic
from worker.chores import Chores, chores


def test_work_that_is_under_way_is_not_begun_a_second_time() -> None:
    goes_on, begun = threading.Event(), []
    ours = Chores()
    for _ in range(3):
        ours.begin("one", lambda: (begun.append(1), goes_on.wait(20)))
    other = ours.begin("two", lambda: begun.append(2))
    other.join()
    goes_on.set()
    ours.wait()
    assert sorted(begun) == [1, 2]


def test_work_that_broke_is_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    ours = Chores()
    ours.begin("one", lambda: [][1])
    ours.wait()
    done: list[int] = []
    ours.begin("one", lambda: done.append(1))
    ours.wait()
    assert done == [1]
    assert "IndexError" in caplog.text


@pytest.mark.row(33)
@pytest.mark.django_db(transaction=True)
def test_a_bucket_that_never_answers_holds_up_no_tick(service_on_s3, settings):
    """The control worker has but one thread: the schedule and the reaper would wait."""
    proxy = FaultProxy(service_on_s3.storage.endpoint)
    proxy.faults = [Fault("GET", times=999, hang=True)]
    storage = replace(service_on_s3.storage, endpoint=proxy.endpoint)
    settings.TARKEEP = replace(service_on_s3, storage=storage)
    try:
        periodic.janitor_tick()
        periodic.bucket_tick()
        while len(proxy.seen) < 2:
            threading.Event().wait(0.05)
        periodic.schedule_tick()
        periodic.reaper_tick()
        assert chores.begin("reaper", lambda: None).join(20) is None
        assert chores.begin("bucket", lambda: None).is_alive()
    finally:
        proxy.stop()
        chores.wait()
