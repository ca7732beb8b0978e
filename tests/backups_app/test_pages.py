"""Pages, and the headers that every answer carries."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    client = Client()
    client.force_login(get_user_model().objects.create_user("ana"))
    return client


def test_the_dashboard_is_for_those_who_are_logged_in(service, browser):
    answer = browser.get("/")
    assert answer.status_code == 200
    assert "csrftoken" in answer.cookies
    stranger = Client().get("/")
    assert (stranger.status_code, stranger.headers["Location"]) == (302, "/login/?next=/")


def test_one_logs_in_and_out():
    get_user_model().objects.create_user("ana", password="correct horse")
    client = Client()
    assert client.get("/login/").status_code == 200
    entered = client.post("/login/", {"username": "ana", "password": "correct horse"})
    assert (entered.status_code, entered.headers["Location"]) == (302, "/")
    left = client.post("/logout/")
    assert (left.status_code, left.headers["Location"]) == (302, "/login/")
    assert client.get("/").status_code == 302


def test_healthz_is_for_everybody_and_says_nothing():
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_a_foreign_host_name_is_refused():
    assert Client(headers={"Host": "rebound.example"}).get("/login/").status_code == 400


@pytest.mark.parametrize(
    "path", ["/login/", "/healthz", "/api/docs/", "/api/backup/status", "/nothing", "/admin/login/"]
)
def test_every_answer_carries_the_headers(path):
    headers = Client().get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_pages_hold_nothing_inline(path):
    page = Client().get(path).content.decode()
    assert " style=" not in page
    assert "<style>" not in page
    assert "onclick" not in page


def test_the_api_is_never_cached():
    assert Client().get("/api/backup/status").headers["Cache-Control"] == "no-store"


def test_the_apis_documentation_is_for_those_who_are_logged_in_and_loads_nothing_from_elsewhere(
    browser,
):
    assert Client().get("/api/docs/").status_code == 302
    page = browser.get("/api/docs/").content.decode()
    assert "http:" not in page
    assert "https:" not in page
    for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        assert Client().get(file).status_code == 200, file


def test_scripts_go_compressed_and_what_may_hold_secrets_does_not(service, browser):
    asked = {"Accept-Encoding": "gzip"}
    script = Client().get("/static/backups_app/js/app.js", headers=asked)
    assert script.headers["Content-Encoding"] == "gzip"
    for path in ("/", "/api/backup/status", "/recovery-kit/"):
        assert "Content-Encoding" not in browser.get(path, headers=asked).headers
