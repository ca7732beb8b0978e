"""Waiting for what cannot be broken off."""

import threading
import time

import pytest

from worker.engine.errors import JobStopped
from worker.engine.progress import Progress
from worker.engine.pulsing import patiently


class Cancelled(Progress):
    def checkpoint(self):
        raise JobStopped("cancelled", code="CANCELLED")


def test_the_work_is_over_when_it_returns():
    done = []
    patiently(Progress(), lambda: (time.sleep(0.3), done.append(1))[1])
    assert done == [1]


def test_what_it_raises_is_raised():
    def fail():
        raise OSError(28, "no space")

    with pytest.raises(OSError, match="no space"):
        patiently(Progress(), fail)


def test_a_run_that_is_to_end_leaves_it_behind():
    over = threading.Event()
    with pytest.raises(JobStopped):
        patiently(Cancelled(), over.wait)
    over.set()
