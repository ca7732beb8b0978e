"""Hostile requests: names of backups, browsers led astray, broken bodies, the first run.
Rows 77, 78, 84 and 86.
"""

import json
import socket
import threading
from dataclasses import replace
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client

from backups_app.models import Job
from tests.support.people import browser_of, person, superuser
from tests.support.service import KEY

pytestmark = pytest.mark.django_db
POSTS = ("restore", "verify", "drill", "pin", "preview-restore")
GETS = (  # {} is the name
    "files?backupKey={}", "download?backupKey={}", "diff?from={}&to=latest",
    "search?q=a&backupKey={}",
)  # fmt: skip
HOSTILE = (
    "../etc/passwd", f"backups/../{KEY}", KEY.replace("/", "%2f"), KEY.replace(".", "%2e"),
    "%2e%2e%2fetc", f"{KEY}\0", "backups/\0.tar.gz", "x" * 10_240, f"backups/{'x' * 5000}.tar.gz",
    KEY.replace(".", "․"), KEY.replace("-", "‐"), "backups/．．/x.tar.gz",
    KEY.replace("backups/", "others/"), f"other-bucket/{KEY}", f"s3://nowhere/{KEY}",
    f"http://169.254.169.254/{KEY}", f"//nowhere/{KEY}", f"/{KEY}", f"{KEY}/", f" {KEY}",
    f"{KEY}\n",
    "", "backups/", KEY.removesuffix(".gz"), f"{KEY}.metadata.json", KEY.upper(),
)  # fmt: skip


@pytest.fixture
def bucket_that_must_not_be_asked(service, settings):
    """An address that counts who comes."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    came, over = [], threading.Event()

    def count():
        while not over.is_set():
            try:
                listener.accept()[0].close()
                came.append(1)
            except TimeoutError:
                continue

    thread = threading.Thread(target=count)
    thread.start()
    port = listener.getsockname()[1]
    storage = replace(service.storage, endpoint=f"http://127.0.0.1:{port}")
    settings.API_RATE = 0
    settings.TARKEEP = replace(service, storage=storage)
    yield came
    over.set()
    thread.join()
    listener.close()


def test_row_77_names_that_are_not_ours_never_reach_the_bucket(api, bucket_that_must_not_be_asked):
    for name in HOSTILE:
        for path in POSTS:
            answer = api.post(
                f"/api/backup/{path}", {"backupKey": name}, content_type="application/json"
            )
            assert answer.status_code == 400, (path, name[:60], answer.content)
        for path in GETS:
            address, _, query = path.partition("?")
            given = dict(part.split("=") for part in query.split("&"))
            given = {field: value.replace("{}", name) for field, value in given.items()}
            if address == "search" and name == "":  # means the newest ones
                continue
            answer = api.get(f"/api/backup/{address}", given)
            assert answer.status_code == 400, (path, name[:60], answer.content)
            assert not bucket_that_must_not_be_asked, (path, name[:60])
    assert not Job.objects.exists()


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
@pytest.mark.parametrize("path", ["status", "trigger", "restore"])
def test_row_78_no_other_page_is_let_in_by_cors(api, service, origin, path):
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for answer in (api.options(f"/api/backup/{path}", headers=headers),
                   api.get(f"/api/backup/{path}", headers={"Origin": origin})):  # fmt: skip
        allowed = [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert allowed == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_row_78_a_form_of_another_page_changes_nothing(service, origin):
    browser = browser_of("admin")
    browser.handler.enforce_csrf_checks = True
    token = browser.get("/").cookies["csrftoken"].value
    for path in ("trigger", "undo", "retention/confirm", "tokens"):
        for headers in ({"Origin": origin}, {"Origin": origin, "X-CSRFToken": token}):
            answer = browser.post(
                f"/api/backup/{path}", {}, content_type="application/json", headers=headers
            )
            assert answer.status_code == 403
            assert answer.json()["code"] == "PERMISSION_DENIED"
    assert not Job.objects.exists()


@pytest.mark.parametrize("path", ["/", "/login/", "/admin/", "/api/docs/", "/api/backup/status"])
def test_row_78_nothing_can_be_framed(service, path):
    answer = browser_of("admin").get(path)
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost@evil", ""])
def test_row_78_a_foreign_host_name_is_refused(service, host):
    assert Client(headers={"Host": host}).get("/api/backup/status").status_code == 400


DEEP = "[" * 50_000 + "]" * 50_000
BROKEN = (
    "", "{", "[]", "null", '"x"', "1", "NaN", DEEP, '{"backupKey": ' + DEEP + "}",
    '{"backupKey": {"a": 1}}', '{"backupKey": [' + ",".join(["1"] * 9000) + "]}",
    '{"backupKey": 1e400}', '{"backupKey": true}', '{"backupKey": "\\ud800"}', "\ufeff{}",
    '{"paths": "x"}', '{"paths": {"0": "x"}}', '{"days": "x"}', '{"limit": 1e99}',
)  # fmt: skip


def test_row_84_broken_bodies_are_refused_and_break_nothing(api, service):
    for path in (*POSTS, "tokens"):
        for body in BROKEN:
            answer = api.post(
                f"/api/backup/{path}", body.encode("utf-8", "surrogatepass"),
                content_type="application/json",
            )  # fmt: skip
            assert 400 <= answer.status_code < 500, (path, body[:60], answer.content)
            assert set(answer.json()) == {"code", "message", "hint"}
            assert len(answer.content) < 10_000, (path, body[:60])
    assert not Job.objects.exists()


def test_row_84_a_body_that_is_too_large_is_refused(api, service):
    huge = json.dumps({"backupKey": KEY, "paths": ["x" * (100 << 20)]})
    answer = api.post("/api/backup/restore", huge, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


SETUPS = (
    "/", "/login/", "/admin/", "/admin/auth/user/add/", "/password/", "/setup/", "/install/",
    "/register/", "/api/setup", "/api/backup/setup",
)  # fmt: skip


def nobody():
    """Before the first start, or after the last administrator is gone."""


def asleep():
    superuser(), get_user_model().objects.update(is_active=False)


def demoted():
    superuser(), get_user_model().objects.update(is_superuser=False, is_staff=False)


def left_the_role():
    person("admin").groups.clear()


@pytest.mark.parametrize("left", [nobody, asleep, demoted, left_the_role])
def test_row_86_no_page_makes_an_administrator_whoever_is_left(service, left):
    left()
    users = get_user_model().objects
    before = sorted(users.values_list("username", "is_superuser", "is_active", "password"))
    for asking in (Client(), browser_of("viewer", name="eve")):
        for path in SETUPS:
            form = {
                "username": "mallory", "password": "x", "password1": "x", "password2": "x",
                "is_superuser": "on", "is_staff": "on", "is_active": "on",
            }  # fmt: skip
            assert asking.post(path, form).status_code in {200, 302, 401, 403, 404, 405}, path
            assert asking.get(path).status_code in {200, 302, 401, 403, 404, 405}, path
    after = users.exclude(username="eve")
    assert sorted(after.values_list("username", "is_superuser", "is_active", "password")) == before


def test_row_86_a_later_start_tells_nobody_a_password_while_an_administrator_is_there(service):
    call_command("create_first_admin", stdout=StringIO())
    get_user_model().objects.create_user("eve")
    again = StringIO()
    call_command("create_first_admin", stdout=again)
    assert json.loads(again.getvalue())["password"] is None
