"""ws/backup/: who may listen and what they are told, over real WebSockets and the real Redis."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from backups_app import consumer, events, listener, refusals, services
from backups_app.api.messages import message_schema
from backups_app.models import ApiToken, AuditEntry, Job
from backups_app.origin import lets_in
from backups_app.states import State
from backups_app.tokens import make_token
from launcher.valkey import start_valkey
from tests.support.people import browser_of, person
from tests.support.service import BEARER, TOKEN, claimed_job, finished_job, make_job
from tests.support.webserver import web

__all__ = ["web"]
ROOT = Path(__file__).parents[2]
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
    browser.force_login(person("viewer"))
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


def test_row_79_strangers_are_refused(web, service):
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
def test_row_79_other_pages_must_be_trusted(web, session, settings, origin, let_in):
    settings.CSRF_TRUSTED_ORIGINS = ["https://backup.example.com", "https://*.example.org"]
    assert is_let_in(web, headers=session, origin=origin) is let_in


@pytest.mark.parametrize(
    ("hosts", "origins", "let_in"),
    [
        (["localhost"], [], True),
        (["localhost"], ["http://localhost"], True),
        (["localhost"], ["http://localhost", "http://evil.example"], False),
        (["localhost"], ["http://evil.example", "http://localhost"], False),
        (["localhost"], ["http://localhost", "http://localhost"], False),
        (["localhost", "evil.example"], ["http://evil.example"], False),
        ([], [], False),
    ],
)
def test_row_79_origins_and_hosts_said_twice_are_refused(hosts, origins, let_in):
    headers = [(b"host", one.encode()) for one in hosts]
    headers += [(b"origin", one.encode()) for one in origins]
    assert lets_in({"headers": headers}) is let_in


def test_row_82_guessing_at_the_socket_is_told_and_stopped(web, service):
    cache.clear()
    wrong = {"Authorization": "Bearer wrong"}
    for _ in range(refusals.MOST):
        refusals.count("127.0.0.1")
    with pytest.raises(InvalidStatus) as stopped, listening(web, headers=wrong):
        pass
    assert stopped.value.response.status_code == 429
    assert stopped.value.response.headers["Retry-After"] == "60"
    assert is_let_in(web)
    told = AuditEntry.objects.get()
    assert (told.action, told.how, told.outcome) == ("ws", "websocket", "THROTTLED")
    assert told.address == "127.0.0.1"
    cache.clear()


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


def closed_with(socket):
    try:
        while True:
            socket.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed.rcvd.code


@pytest.fixture
def asked_often(monkeypatch):
    monkeypatch.setattr(consumer, "CHECK_EVERY", 0.2)
    monkeypatch.setattr(listener, "REMEMBERED", 0.0)


def test_row_79_after_the_logout_nothing_is_told(web, session, asked_often):
    with listening(web, headers=session) as socket:
        assert hear(socket)["type"] == "snapshot"
        Session.objects.all().delete()
        assert closed_with(socket) == 4401


def test_row_79_who_loses_the_role_hears_nothing_more(web, session, asked_often):
    with listening(web, headers=session) as socket:
        hear(socket)
        get_user_model().objects.get().groups.clear()
        assert closed_with(socket) == 4401


def test_row_79_a_revoked_token_hears_nothing_more(web, service, asked_often):
    token, text = make_token(name="x", role="viewer")
    with listening(web, headers={"Authorization": f"Bearer {text}"}) as socket:
        hear(socket)
        ApiToken.objects.filter(pk=token.pk).revoke()
        assert closed_with(socket) == 4401


def test_row_79_a_listener_that_cannot_be_asked_after_is_closed(web, session, asked_often):
    with listening(web, headers=session) as socket:
        hear(socket)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE django_session RENAME TO away")
        try:
            assert closed_with(socket) == 1013
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE away RENAME TO django_session")


def test_listening_keeps_where_a_token_was_used_from(web, service):
    token, text = make_token(name="x", role="viewer")
    with listening(web, headers={"Authorization": f"Bearer {text}"}) as socket:
        hear(socket)
    token.refresh_from_db()
    assert token.last_used_from == "127.0.0.1"


def test_row_79_whoever_may_not_look_is_refused(web, service):
    _, text = make_token(name="x", permissions=["start_job"])
    assert not is_let_in(web, headers={"Authorization": f"Bearer {text}"})
    nobody = browser_of("", name="bea").cookies[django_settings.SESSION_COOKIE_NAME].value
    cookie = {"Cookie": f"{django_settings.SESSION_COOKIE_NAME}={nobody}"}
    assert not is_let_in(web, headers=cookie)
    told = AuditEntry.objects.get()
    assert (told.action, told.actor[:6], told.outcome) == ("ws", "x (tk_", "NOT_ALLOWED")


def test_row_79_a_frame_of_two_mebibytes_ends_the_connection(web, service):
    with listening(web) as socket:
        hear(socket)
        socket.send("x" * (2 << 20))
        assert closed_with(socket) == 1009


def test_row_79_who_talks_too_much_is_closed(web, service):
    with listening(web) as socket:
        with suppress(ConnectionClosed):
            for _ in range(consumer.RATE + 1):
                socket.send('{"type": "ping"}')
        assert closed_with(socket) == 1008


def test_row_79_who_does_not_read_holds_nobody_up(web, service):
    """Far more than all buffers on the way hold is told; somebody else hears the end of it."""
    job = claimed_job(warnings=[{"code": "X", "path": "p" * 4000, "message": "m"}] * 100)
    with listening(web, max_queue=1, open_timeout=60) as slow, listening(web) as brisk:
        hear(brisk)
        for number in range(60):
            Job.objects.filter(pk=job.pk).update(revision=number + 10)
            assert events.publish(job.pk)
        last = 0
        while last < 69:
            last = json.loads(brisk.recv(timeout=30))["job"]["revision"]
        with suppress(Exception):
            slow.socket.close()


def test_messages_follow_their_schema(web, service):
    import jsonschema

    validate = jsonschema.Draft202012Validator(message_schema()).validate
    active = claimed_job()
    finished_job(State.FAILED, error_code="X", error_message="m", warnings=[])
    with listening(web) as socket:
        validate(hear(socket))
        events.publish(active.pk)
        validate(hear(socket))
        socket.send('{"type": "ping"}')
        validate(hear(socket))
    with pytest.raises(jsonschema.ValidationError):
        validate({"type": "job", "job": {}})


def test_the_schema_in_the_documentation_is_the_codes():
    written = json.loads((ROOT / "docs" / "messages.schema.json").read_text())
    assert written == message_schema()


def test_the_example_client_prints_what_it_hears(web, service):
    finished_job()
    client = subprocess.Popen(
        [sys.executable, ROOT / "examples" / "listen.py", f"http://{web}"],
        env={**os.environ, "TOKEN": TOKEN}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert client.stdout.readline().split() == ["backup", "SUCCEEDED", "100.0"]
    finally:
        client.kill()
        client.wait()
