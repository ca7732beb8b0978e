"""Row 80: a hundred thousand signs of progress while Redis takes connections and says nothing."""

import socket
import threading
from contextlib import suppress

import pytest

from backups_app import events
from backups_app.models import Job
from backups_app.states import State
from tests.support.service import claimed_job
from worker import reporting
from worker.engine.progress import SourceWarning
from worker.reporting import JobProgress

pytestmark = pytest.mark.django_db(transaction=True)
SIGNS = 100_000


class BlackHole:
    """Takes every connection and never answers."""

    def __init__(self):
        self.taken = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self):
        with suppress(OSError):
            while True:
                self.taken.append(self._socket.accept()[0])

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for line in self.taken:
            line.close()


@pytest.fixture
def silent_redis(settings):
    hole = BlackHole()
    layer = settings.CHANNEL_LAYERS["default"]
    news = {**layer, "CONFIG": {"hosts": [f"redis://127.0.0.1:{hole.port}/0"]}}
    settings.CHANNEL_LAYERS = {"default": news}
    events.breaker.reset()
    yield hole
    events.breaker.reset()
    hole.close()


@pytest.mark.invariant("I1")
def test_row_80_every_sign_is_counted_and_hardly_one_is_published(silent_redis, monkeypatch):
    monkeypatch.setattr(reporting, "TICK", 0.02)
    failed, job = events.breaker.failed, claimed_job()
    with JobProgress(job) as progress:
        progress.phase("archiving")
        progress.totals(files=SIGNS, bytes=3 * SIGNS)
        for number in range(SIGNS):
            progress.advance(files=1, bytes=3, sent=2)
            if number % 1000 == 0:
                progress.warn(SourceWarning("CHANGED", "a", "b"))
    assert job.finish(State.SUCCEEDED, **progress.counters.fields(ended=True))
    assert events.publish(job.pk) is False
    ended = Job.objects.get()
    assert (ended.state, ended.files_done, ended.bytes_done) == ("SUCCEEDED", SIGNS, 3 * SIGNS)
    assert (ended.bytes_sent, ended.warning_count) == (2 * SIGNS, SIGNS // 1000)
    assert ended.revision < SIGNS / 10
    # One was tried, and then none for half a minute.
    assert 1 <= events.breaker.failed - failed <= 2
    assert len(silent_redis.taken) <= 4
