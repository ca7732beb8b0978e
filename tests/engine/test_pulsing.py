"""Waiting for what cannot be broken off."""

import threading
import time
from concurrent.futures import Future

import pytest

from worker.engine.errors import JobStopped
from worker.engine.progress import Progress
from worker.engine.pulsing import until_done


class Cancelled(Progress):
    def checkpoint(self):
        raise JobStopped("cancelled", code="CANCELLED")


def test_it_is_done_when_it_returns():
    over = Future()
    threading.Thread(target=lambda: (time.sleep(0.3), over.set_result(None))).start()
    until_done(over, Progress())
    assert over.done()


def test_what_it_has_come_to_is_raised():
    over = Future()
    over.set_exception(OSError(28, "no space"))
    with pytest.raises(OSError, match="no space"):
        until_done(over, Progress())


def test_a_run_that_is_to_end_leaves_it_behind():
    over = Future()
    with pytest.raises(JobStopped):
        until_done(over, Cancelled())
    assert not over.done()
