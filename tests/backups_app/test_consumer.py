"""ws/backup/: who may listen and what they are told, over real WebSockets and the real Redis."""

import json
from contextlib import contextmanager, suppress

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from backups_app import events, services
from backups_app.models import Job
from backups_app.states import State
from launcher.valkey import start_valkey
from tests.support.service import BEARER, TOKEN, claimed_job, finished_job, make_job
from tests.support.webserver import web

__all__ = ["web"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_breaker():
    events.breaker.reset()


@contextmanager
def listening(web, *, headers=BEARER, **how):
    with connect(f"ws://{web}/ws/backup/", additional_headers=headers, **how) as socket:
        yield socket


def hear(socket):
    return json.loads(socket.recv(timeout=10))


def is_let_in(web, **how):
    try:
        with listening(web, **how) as socket:
            return hear(socket)["type"] == "snapshot"
    except InvalidStatus as refusal:
        return refusal.response.status_code != 403


@pytest.fixture
def session(service):
    """The headers of a browser that is logged in."""
    browser = Client()
    browser.force_login(get_user_model().objects.create_user("ana"))
    name = django_settings.SESSION_COOKIE_NAME
    return {"Cookie": f"{name}={browser.cookies[name].value}"}


def test_on_connect_the_active_and_the_ten_latest_jobs_are_told(web, service):
    active = claimed_job()
    latest = [finished_job() for _ in range(12)][-10:]
    with listening(web) as socket:
        message = hear(socket)
    assert message["type"] == "snapshot"
    assert {job["id"] for job in message["jobs"]} == {str(job.pk) for job in [active, *latest]}


def test_each_change_is_told_whole(web, service):
    job = make_job()
    with listening(web) as socket:
        hear(socket)
        Job.objects.claim(job.pk, owner="test")
        assert events.publish(job.pk)
        message = hear(socket)
    assert message["type"] == "job"
    assert message["job"]["id"] == str(job.pk)
    assert (message["job"]["state"], message["job"]["revision"]) == ("RUNNING", 2)


def test_a_job_that_is_queued_is_told_to_all(web, service):
    with listening(web) as one, listening(web) as other:
        hear(one), hear(other)
        job = services.start_backup(trigger="api", requested_by="x")
        for socket in (one, other):
            told = hear(socket)["job"]
            assert (told["id"], told["state"]) == (str(job.pk), State.PENDING)


def test_what_an_http_request_changes_is_told(web, service):
    import httpx

    with listening(web) as socket:
        hear(socket)
        answer = httpx.post(f"http://{web}/api/backup/trigger", headers=BEARER)
        assert hear(socket)["job"]["id"] == answer.json()["jobId"]


@pytest.fixture
def own_redis(settings, tmp_path):
    """A Redis that a test may stop, as the only one that carries news."""
    server = start_valkey(tmp_path / "valkey")
    news = {**settings.CHANNEL_LAYERS["default"], "CONFIG": {"hosts": [server.url]}}
    settings.CHANNEL_LAYERS = {"default": news}
    yield server
    server.stop()


def test_without_redis_nobody_is_let_in_and_with_it_again(own_redis, web, service, tmp_path):
    own_redis.stop()
    assert not is_let_in(web)
    again = start_valkey(tmp_path / "valkey")
    try:
        assert is_let_in(web)
    finally:
        again.stop()


def test_news_go_on_when_redis_comes_back(own_redis, web, service, tmp_path):
    job = make_job()
    with listening(web) as socket:
        hear(socket)
        own_redis.stop()
        again = start_valkey(tmp_path / "valkey")
        try:
            assert hears_in_the_end(socket, job)
        finally:
            again.stop()


def hears_in_the_end(socket, job):
    """The subscription is renewed within a few seconds; what is published before is lost."""
    for _ in range(60):
        events.breaker.reset()
        events.publish(job.pk)
        with suppress(TimeoutError):
            return json.loads(socket.recv(timeout=0.5))["job"]["id"] == str(job.pk)
    return False


def test_strangers_are_refused(web, service):
    assert not is_let_in(web, headers={})
    assert not is_let_in(web, headers={"Authorization": "Bearer wrong"})
    assert not is_let_in(web, headers={}, subprotocols=["tarkeep", "bearer.wrong"])


def test_a_session_is_let_in(web, session):
    assert is_let_in(web, headers=session)


def test_the_token_may_come_as_a_subprotocol_and_is_not_echoed(web, service):
    with listening(web, headers={}, subprotocols=["tarkeep", f"bearer.{TOKEN}"]) as socket:
        assert hear(socket)["type"] == "snapshot"
        assert socket.subprotocol == "tarkeep"


def test_a_page_of_ours_is_let_in(web, session):
    assert is_let_in(web, headers=session, origin=f"http://{web}")


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        ("http://127.0.0.1:1", False),
        ("http://evil.example", False),
        ("null", False),
        ("https://backup.example.com", True),
        ("http://backup.example.com", False),
        ("https://a.example.org", True),
        ("https://example.org.evil.example", False),
    ],
)
def test_other_pages_must_be_trusted(web, session, settings, origin, let_in):
    settings.CSRF_TRUSTED_ORIGINS = ["https://backup.example.com", "https://*.example.org"]
    assert is_let_in(web, headers=session, origin=origin) is let_in


def test_a_foreign_host_name_is_refused(web, service, settings):
    settings.ALLOWED_HOSTS = ["backup.example.com"]
    assert not is_let_in(web)


def test_a_ping_is_answered(web, service):
    with listening(web) as socket:
        hear(socket)
        socket.send('{"type": "ping"}')
        assert hear(socket) == {"type": "pong"}


@pytest.mark.parametrize(
    ("sent", "code"),
    [("{", 1003), ('{"type": "trigger"}', 1003), (b"\0", 1003), ("x" * 5000, 1009)],
)
def test_whatever_else_is_sent_ends_the_connection(web, service, sent, code):
    with listening(web) as socket:
        hear(socket)
        socket.send(sent)
        with pytest.raises(ConnectionClosed) as closed:
            hear(socket)
    assert closed.value.rcvd.code == code
