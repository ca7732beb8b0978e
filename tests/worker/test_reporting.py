"""Progress of a run reaches the database; the wish to stop reaches the run."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from time import monotonic, sleep

import psycopg
import pytest
from django.db import connection, connections

from backups_app.models import Job
from backups_app.states import State
from tests.support.service import claimed_job, expire
from tests.support.tcp_proxy import TcpProxy
from worker import drain, guard, reporting
from worker.engine.errors import JobStopped
from worker.engine.progress import SourceWarning
from worker.reporting import JobProgress

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    """Ticks of the side thread come faster, so that tests do not wait."""
    monkeypatch.setattr(reporting, "TICK", 0.02)
    monkeypatch.setattr(guard, "TICK", 0.02)
    yield
    drain.clear()


def until(condition):
    end = monotonic() + 20
    while not condition():
        assert monotonic() < end, "it did not happen"
        sleep(0.02)


postgresql_only = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="SQLite has no server that could be away"
)


def end_own_session():
    """As a restart of the database does it."""
    ours = connection.connection.info
    with psycopg.connect(
        host=ours.host, port=ours.port, user=ours.user, dbname=ours.dbname, password=ours.password
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (ours.backend_pid,))


@pytest.fixture
def through_proxy(transactional_db):
    """Threads other than this one reach the database through a proxy."""
    connection.ensure_connection()
    ours, settings = connection.connection.info, connections.settings["default"]
    socket = f"{ours.host}/.s.PGSQL.{ours.port}"
    proxy = TcpProxy(socket if ours.host.startswith("/") else (ours.host, ours.port))
    before = {name: settings[name] for name in ("HOST", "PORT")}
    settings |= {"HOST": "127.0.0.1", "PORT": str(proxy.port)}
    yield proxy
    settings |= before
    proxy.stop()


def stopped(progress):
    """The code of the stop that the next checkpoint raises, if it does."""
    try:
        progress.checkpoint()
    except JobStopped as stop:
        return stop.code
    return ""


def reread(job):
    return Job.objects.get(pk=job.pk)


def test_progress_is_written_down_while_the_run_goes_on():
    job = claimed_job()
    with JobProgress(job) as progress:
        progress.phase("archiving")
        progress.totals(files=2, bytes=100)
        progress.advance(files=1, bytes=40, sent=10)
        progress.warn(SourceWarning("FILE_CHANGED", "a", "changed"))
        until(lambda: reread(job).bytes_done == 40)
        seen = reread(job)
    assert (seen.phase, seen.files_total, seen.bytes_sent, seen.warning_count) == (
        "archiving", 2, 10, 1,
    )  # fmt: skip
    assert seen.revision > job.revision


def test_the_lease_is_renewed_when_nothing_moves(monkeypatch):
    monkeypatch.setattr(reporting, "RENEW_EVERY", 0.05)
    job = claimed_job()
    expire(job)
    with JobProgress(job):
        until(lambda: reread(job).lease_until > job.started_at)
    assert reread(job).revision == job.revision


def test_a_cancelled_job_stops_at_its_next_checkpoint():
    job = claimed_job()
    with JobProgress(job) as progress:
        assert stopped(progress) == ""
        job.cancel()
        until(lambda: stopped(progress) == "CANCELLED")


def test_a_job_that_another_worker_holds_stops(monkeypatch):
    monkeypatch.setattr(reporting, "RENEW_EVERY", 0.05)
    job = claimed_job()
    with JobProgress(job) as progress:
        Job.objects.update(fence=job.fence + 1)
        until(lambda: stopped(progress) == "LEASE_LOST")


def test_a_job_that_was_declared_lost_stops(monkeypatch):
    monkeypatch.setattr(reporting, "RENEW_EVERY", 0.05)
    job = claimed_job()
    with JobProgress(job) as progress:
        Job.objects.update(state=State.LOST)
        until(lambda: stopped(progress) == "LEASE_LOST")


@pytest.mark.row(21)
def test_without_the_database_it_stops_before_the_lease_runs_out(monkeypatch):
    monkeypatch.setattr(reporting, "RENEW_EVERY", 0.05)
    monkeypatch.setattr(reporting, "GIVE_UP_AFTER", 0.3)
    job = claimed_job()
    with JobProgress(job) as progress, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE backups_app_job RENAME TO gone")
        try:
            until(lambda: stopped(progress) == "LEASE_LOST")
        finally:
            cursor.execute("ALTER TABLE gone RENAME TO backups_app_job")


def test_a_run_that_hangs_is_told_to_stop_and_the_log_says_where(caplog):
    with JobProgress(claimed_job(), stalled_after=0.1) as progress:
        until(lambda: stopped(progress) == "STALLED")
    assert "until(lambda" in caplog.text


def test_past_the_point_of_no_return_it_is_watched_as_before():
    with JobProgress(claimed_job(), stalled_after=0.3) as progress:
        progress.commit("publish")
        until(lambda: stopped(progress) == "STALLED")


def test_a_pulse_is_a_sign_of_life_that_nothing_is_written_for():
    job = claimed_job()
    with JobProgress(job, stalled_after=0.5) as progress:
        end = monotonic() + 1.5
        while monotonic() < end:
            progress.pulse()
            assert stopped(progress) == ""
            sleep(0.05)
    assert reread(job).revision == job.revision


@pytest.mark.row(21)
@postgresql_only
@pytest.mark.parametrize("ask", ["commit", "record"])
def test_a_connection_that_the_database_has_closed_is_opened_anew(ask):
    job = claimed_job()
    with JobProgress(job) as progress:
        end_own_session()
        if ask == "commit":
            progress.commit("publish")
        else:
            progress.record("upload", key="k")
    now = reread(job)
    effects = [(one["effect"], one["key"]) for one in now.effects]
    assert (now.committed_step, effects) == (
        ("publish", []) if ask == "commit" else ("", [("upload", "k")])
    )


@pytest.mark.row(21)
@postgresql_only
def test_with_a_silent_database_the_run_stops_by_itself(monkeypatch, through_proxy):
    """The side thread hangs for ever in its query; nobody but the clock says so."""
    monkeypatch.setattr(reporting, "RENEW_EVERY", 0.05)
    monkeypatch.setattr(reporting, "GIVE_UP_AFTER", 1.0)
    monkeypatch.setattr(reporting, "LAST_WRITE", 0.1)
    job = claimed_job()
    with JobProgress(job) as progress:
        until(lambda: reread(job).lease_until > job.lease_until)
        through_proxy.freeze()
        until(lambda: stopped(progress) == "LEASE_LOST")
        with pytest.raises(JobStopped):
            progress.commit("publish")
    assert reread(job).committed_step == ""


def test_a_drain_stops_it():
    with JobProgress(claimed_job()) as progress:
        drain.request()
        assert stopped(progress) == "DRAINED"


@pytest.mark.row(27)
def test_past_the_point_of_no_return_only_a_lost_lease_stops_it(monkeypatch):
    monkeypatch.setattr(reporting, "RENEW_EVERY", 0.05)
    job = claimed_job()
    with JobProgress(job) as progress:
        progress.commit("publish")
        drain.request()
        assert stopped(progress) == ""
        Job.objects.update(fence=job.fence + 1)
        until(lambda: stopped(progress) == "LEASE_LOST")


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (lambda job: job.cancel(), "CANCELLED"),
        (lambda job: Job.objects.update(fence=job.fence + 1), "LEASE_LOST"),
        (expire, "LEASE_LOST"),
    ],
    ids=["cancelled", "fenced", "expired"],
)
def test_commit_asks_the_database_and_not_the_side_thread(happens, code):
    job = claimed_job()
    progress = JobProgress(job)
    happens(job)
    with pytest.raises(JobStopped) as stop:
        progress.commit("swap")
    assert stop.value.code == code
    assert reread(job).committed_step == ""


def test_a_recorded_step_is_in_the_database_when_the_call_returns():
    job = claimed_job()
    progress = JobProgress(job)
    progress.record("upload", key="k", uploadId="1")
    (effect,) = reread(job).effects
    assert datetime.fromisoformat(effect.pop("at"))
    assert effect == {"effect": "upload", "key": "k", "uploadId": "1"}


def test_steps_recorded_by_many_threads_are_all_kept():
    job = claimed_job()
    progress = JobProgress(job)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: progress.record("upload", key=number), range(30)))
    assert sorted(effect["key"] for effect in reread(job).effects) == list(range(30))


def test_a_step_that_cannot_be_recorded_is_refused():
    job = claimed_job()
    Job.objects.update(fence=job.fence + 1)
    with pytest.raises(JobStopped) as stop:
        JobProgress(job).record("upload", key="k", uploadId="1")
    assert stop.value.code == "LEASE_LOST"
    assert reread(job).effects == []


def test_a_dead_redis_does_not_hold_up_a_run(settings):
    dead = {**settings.CHANNEL_LAYERS["default"], "CONFIG": {"hosts": ["redis://127.0.0.1:9/0"]}}
    settings.CHANNEL_LAYERS = {"default": dead}
    reporting.events.breaker.reset()
    job = claimed_job()
    with JobProgress(job) as progress:
        for step in range(1, 4):
            progress.advance(bytes=1)
            until(lambda step=step: reread(job).bytes_done == step)
        assert stopped(progress) == ""
    assert reporting.events.breaker.skipped > 0
    reporting.events.breaker.reset()
