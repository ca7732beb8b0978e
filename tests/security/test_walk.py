"""Row 76: every address that there is, asked by whoever may not.

The addresses are read from the URL configuration, so that one that is added is asked for too.
"""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.utils import timezone

from backups_app import roles
from backups_app.api.base import View
from backups_app.api.permissions import ANYBODY_KNOWN, OPEN
from backups_app.models import ApiToken, AuditEntry, Job
from backups_app.tokens import make_token
from tests.support.people import browser_of

pytestmark = pytest.mark.django_db
METHODS = ("get", "post", "put", "patch", "delete")
OPEN_TO_ALL = {"/healthz", "/readyz", "/login/", "/admin/login/"}
# What somebody without any role may: sign in and out, have a password, and be told so little.
OF_EVERYBODY = {
    *OPEN_TO_ALL, "/", "/logout/", "/password/", "/password/changed/", "/admin/logout/",
    "/texts.js", "/language/",
    "/admin/password_change/", "/api/backup/me",
}  # fmt: skip
JOB = "00000000-0000-0000-0000-000000000001"
FILLED = {
    "job_id": JOB, "token_id": "00000000", "object_id": "1", "content_type_id": "1", "id": "1",
    "app_label": "auth", "url": "no-such-page", "plan": "default", "name": "media",
}  # fmt: skip
REFUSED = {401, 403, 404, 405}
GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)")
CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")


def walk(patterns, prefix=""):
    """(address, view) of every entry, whatever is variable in it filled in."""
    for entry in patterns:
        here = prefix + text_of(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, here)
        elif isinstance(entry, URLPattern):
            yield f"/{here}", entry.callback


def text_of(pattern):
    if hasattr(pattern, "_route"):
        return CONVERTER.sub(lambda found: FILLED[found.group(1)], pattern._route)
    return GROUP.sub(lambda found: FILLED[found.group(1)], pattern._regex).strip("^$").rstrip("/?")


EVERYTHING = dict(walk(get_resolver().url_patterns))
VIEWS = {url: view.cls for url, view in EVERYTHING.items() if hasattr(view, "cls")}


def operations():
    """(address, method, permission) of what the API serves."""
    for url, view in VIEWS.items():
        for method, needed in view.needs.items():
            yield pytest.param(url, method.lower(), needed, id=f"{method} {url}")


@pytest.fixture(autouse=True)
def nothing_counted():
    cache.clear()
    yield
    cache.clear()


def test_the_walk_comes_to_every_view():
    assert len(EVERYTHING) > 60
    for url, view in EVERYTHING.items():
        found = resolve(url).func
        assert "(" not in url, url
        assert found.__qualname__ == view.__qualname__ or url.startswith("/admin/"), url
    assert {"/metrics", "/readyz", "/api/schema/", f"/api/backup/jobs/{JOB}"} <= set(VIEWS)


def test_every_view_of_the_api_stands_on_the_same_base_and_declares_each_method():
    for url, view in VIEWS.items():
        assert issubclass(view, View), url
        assert view.permission_classes == View.permission_classes, url
        served = {method.upper() for method in METHODS if hasattr(view, method)}
        assert served == set(view.needs), url
        assert set(view.needs.values()) <= {*roles.ABOUT, ANYBODY_KNOWN, OPEN}, url
    assert {url for url, view in VIEWS.items() if OPEN in view.needs.values()} == {"/readyz"}


@pytest.mark.parametrize("role", ["stranger", "nobody"])
def test_row_76_who_has_no_role_gets_nowhere(service, role):
    """Neither a stranger nor an account in no group."""
    asking = Client() if role == "stranger" else browser_of("")
    allowed = OPEN_TO_ALL if role == "stranger" else OF_EVERYBODY
    for url in EVERYTHING:
        for method in METHODS if url in VIEWS else ("get", "post"):
            if url in allowed:
                continue
            cache.clear()
            answer = getattr(asking, method)(url)
            led_away = answer.status_code == 302 and "/login/" in answer.headers["Location"]
            assert led_away or answer.status_code in REFUSED, (method, url, answer)
    assert not Job.objects.exists()


def test_what_is_open_to_strangers_tells_them_nothing(service):
    for url in ("/healthz", "/readyz"):
        assert len(Client().get(url).content) < 12
    assert browser_of("").get("/api/backup/me").json()["permissions"] == []


def token(**ended):
    made, text = make_token(name="x", role="admin")
    ApiToken.objects.filter(pk=made.pk).update(**ended)
    return Client(headers={"Authorization": f"Bearer {text}"})


@pytest.mark.parametrize(
    "ended",
    [
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"revoked_at": timezone.now()},
        {"digest": "0" * 64},
    ],
    ids=["expired", "revoked", "wrong"],
)
def test_row_76_with_a_token_that_has_ended_nothing_is_served(service, ended):
    asking = token(**ended)
    for url, view in VIEWS.items():
        for method in view.needs:
            cache.clear()
            answer = getattr(asking, method.lower())(url)
            told = AuditEntry.objects.latest("number")
            assert (answer.status_code, answer.json()["code"]) == (401, "AUTHENTICATION_FAILED"), (
                url
            )
            assert (told.action, told.outcome) == (resolve(url).url_name, "AUTHENTICATION_FAILED")
    assert not Job.objects.exists()


@pytest.mark.parametrize(("url", "method", "needed"), list(operations()))
def test_row_76_with_every_permission_but_that_one_it_is_refused(service, url, method, needed):
    others = [name.partition(".")[2] for name in roles.ABOUT if name != needed]
    _, text = make_token(name="x", permissions=others)
    asking = Client(headers={"Authorization": f"Bearer {text}"})
    if needed in {ANYBODY_KNOWN, OPEN}:
        assert getattr(asking, method)(url).status_code in {200, 503}
        return
    answer = getattr(asking, method)(url)
    assert (answer.status_code, answer.json()["code"]) == (403, "NOT_ALLOWED")
    told = AuditEntry.objects.get()
    assert (told.action, told.outcome) == (resolve(url).url_name, "NOT_ALLOWED")
    assert told.actor.startswith("x (tk_")
    assert not Job.objects.exists()
