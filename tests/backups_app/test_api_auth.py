"""Who may: a login or the token, for every address of the API."""

import json
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import get_resolver

from backups_app.api import urls
from tests.support.people import person
from tests.support.service import BEARER, TOKEN

pytestmark = pytest.mark.django_db
METHODS = ["get", "post", "put", "patch", "delete"]
IDS = {"job_id": "00000000-0000-0000-0000-000000000001", "token_id": "00000000", "name": "media"}


def addresses():
    """Each address of the API, as the URL configuration has it."""
    resolver = get_resolver("backups_app.api.urls")
    for route in urls.urlpatterns:
        arguments = {name: IDS[name] for name in route.pattern.regex.groupindex}
        yield f"/api/backup/{resolver.reverse(route.name, **arguments)}"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("url", [*addresses(), "/api/schema/"])
def test_without_a_login_every_address_refuses(service, url, method):
    answer = getattr(Client(), method)(url)
    assert answer.status_code == 401
    body = json.loads(answer.content)
    assert body["code"] == "NOT_AUTHENTICATED"
    assert body["hint"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header", [f"Bearer {TOKEN}x", f"Bearer {TOKEN[1:]}", "Bearer ", "Bearer é", "bearer x"]
)
def test_a_wrong_token_refuses(service, header):
    answer = Client(headers={"Authorization": header}).get("/api/backup/status")
    assert answer.status_code == 401
    assert answer.json()["code"] == "AUTHENTICATION_FAILED"
    assert TOKEN not in answer.content.decode()


def test_without_a_token_configured_none_is_right(service, settings):
    settings.TARKEEP = replace(service, api_token="")
    for header in ("Bearer ", "Bearer x", f"Bearer {TOKEN}"):
        answer = Client(headers={"Authorization": header}).get("/api/backup/status")
        assert answer.status_code == 401


def test_other_schemes_are_no_token(service):
    answer = Client(headers={"Authorization": f"Basic {TOKEN}"}).get("/api/backup/status")
    assert answer.status_code == 401


def test_a_session_may_read(service):
    browser = Client()
    browser.force_login(person("operator"))
    assert browser.get("/api/backup/status").status_code == 200


def test_a_session_needs_the_csrf_token_to_write(service):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person("operator"))
    answer = browser.post("/api/backup/trigger")
    assert answer.status_code == 403
    assert answer.json()["code"] == "PERMISSION_DENIED"


def test_the_token_needs_no_csrf_token(service):
    script = Client(enforce_csrf_checks=True, headers=BEARER)
    assert script.post("/api/backup/trigger").status_code == 202


@pytest.mark.parametrize("url", list(addresses()))
def test_wrong_methods_are_named(api, service, url):
    answer = api.put(url)
    assert answer.status_code == 405
    assert answer.json()["code"] == "METHOD_NOT_ALLOWED"


def test_an_unknown_address_answers_in_the_apis_shape(api):
    answer = api.get("/api/backup/nothing")
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "message", "hint"}
