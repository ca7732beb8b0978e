"""Whom a request comes from, and by what: only a trusted proxy may say. Rows 78 and 82."""

from datetime import timedelta
from ipaddress import ip_network

import httpx
import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from backups_app.alerts import alerts
from backups_app.models import AuditEntry, UnnamedProxy
from backups_app.proxies import client, is_near
from tests.support.people import person
from tests.support.webserver import web

__all__ = ["web"]
NETWORKS = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("hops", "found"),
    [
        ("", "127.0.0.1"),
        ("192.0.2.7", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7, 10.1.1.1", "192.0.2.7"),
        ("192.0.2.7, nonsense, 10.1.1.1", "10.1.1.1"),
        ("2001:db8::7, fd00::1", "2001:db8::7"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        (" , ,", "127.0.0.1"),
    ],
)
def test_the_last_hop_that_no_proxy_of_ours_is_counts(hops, found):
    assert client(hops, "127.0.0.1", NETWORKS) == found


FORWARDED = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7", "X-Forwarded-Proto": "https"}
WRONG = {"username": "ana", "password": "wrong"}


def sign_in(web, headers, **form):
    with httpx.Client(base_url=f"http://{web}", headers=headers) as browser:
        token = browser.get("/login/").cookies["csrftoken"]
        secure = {"Referer": f"https://{web}/login/", "Cookie": f"csrftoken={token}"}
        return browser.post("/login/", data={**form, "csrfmiddlewaretoken": token}, headers=secure)


@pytest.mark.django_db(transaction=True)
def test_row_82_behind_a_trusted_proxy_the_clients_address_counts(trusting, web):
    person("viewer")
    assert sign_in(web, FORWARDED, **WRONG).status_code == 200
    assert AuditEntry.objects.get().address == "192.0.2.7"


@pytest.fixture
def trusting(monkeypatch):
    from backup_project import asgi

    monkeypatch.setattr(asgi.application.inner, "networks", NETWORKS)


@pytest.mark.django_db(transaction=True)
def test_row_82_a_proxy_that_nobody_has_named_raises_an_alert(web):
    cache.clear()
    httpx.get(f"http://{web}/healthz")
    assert not UnnamedProxy.objects.exists()
    httpx.get(f"http://{web}/healthz", headers=FORWARDED)
    assert [row.address for row in UnnamedProxy.objects.all()] == ["127.0.0.1"]
    assert codes() == []
    UnnamedProxy.objects.update(since=timezone.now() - timedelta(minutes=6))
    assert codes() == ["PROXY_UNNAMED"]
    UnnamedProxy.objects.update(seen_at=timezone.now() - timedelta(hours=2))
    assert codes() == []


def codes():
    now = timezone.now()
    return [one.code for one in alerts(settings.TARKEEP, now) if one.code == "PROXY_UNNAMED"]


@pytest.mark.django_db(transaction=True)
def test_behind_a_trusted_proxy_nothing_is_noted(trusting, web):
    cache.clear()
    httpx.get(f"http://{web}/healthz", headers=FORWARDED)
    assert not UnnamedProxy.objects.exists()


@pytest.mark.parametrize(("address", "near"), [("8.8.8.8", False), ("", False), ("10.1.2.3", True)])
def test_only_near_addresses_are_taken_for_proxies(address, near):
    assert is_near(address) is near


@pytest.mark.django_db(transaction=True)
def test_behind_a_proxy_with_https_cookies_and_headers_say_so(trusting, web):
    person("viewer")
    answer = sign_in(web, FORWARDED, username="ana", password="correct horse")
    assert answer.status_code == 302
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    for cookie in answer.headers.get_list("Set-Cookie"):
        assert "Secure" in cookie
        assert "SameSite=Lax" in cookie


@pytest.mark.django_db(transaction=True)
def test_row_82_from_others_the_headers_count_for_nothing(web):
    answer = sign_in(web, FORWARDED, **WRONG)
    assert "Strict-Transport-Security" not in answer.headers
    assert AuditEntry.objects.get().address == "127.0.0.1"
