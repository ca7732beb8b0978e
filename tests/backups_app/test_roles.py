"""Which role may do what: every address, every method. Row 76."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.core.management import call_command
from django.urls import get_resolver

from backups_app import roles
from backups_app.api import urls
from backups_app.api.base import View
from tests.support.people import browser_of, person

pytestmark = pytest.mark.django_db
IDS = {"job_id": "00000000-0000-0000-0000-000000000001", "token_id": "00000000", "name": "media"}
METHODS = ("get", "post", "put", "patch", "delete")


def routes():
    """(name, address, view) of each address of the API."""
    resolver = get_resolver("backups_app.api.urls")
    for route in urls.urlpatterns:
        given = {name: IDS[name] for name in route.pattern.regex.groupindex}
        yield route.name, f"/api/backup/{resolver.reverse(route.name, **given)}", route.callback.cls


def operations():
    for name, url, view in routes():
        for method in METHODS:
            if hasattr(view, method):
                yield pytest.param(
                    url, method, view.needs.get(method.upper()), id=f"{method} {name}"
                )


def test_a_method_that_declares_nothing_is_refused(rf):
    class Forgotten(View):
        def get(self, request):
            raise AssertionError("was called")

    request = rf.get("/")
    request.user = person("admin")
    assert Forgotten.as_view()(request).status_code == 403
    request.user = AnonymousUser()
    assert Forgotten.as_view()(request).status_code == 401


@pytest.mark.parametrize(("url", "method", "needed"), list(operations()))
def test_row_76_each_role_may_do_what_it_should_and_nothing_else(
    service_on_s3, url, method, needed
):
    for role in ("", *roles.NAMES):
        answer = getattr(browser_of(role, name=f"a-{role}"), method)(
            url, {}, content_type="application/json"
        )
        allowed = needed == "" or (role and needed in roles.permissions_of(role))
        assert (answer.status_code not in {401, 403}) is bool(allowed), (role, answer.content)
        if not allowed:
            assert answer.json()["code"] == "NOT_ALLOWED"
            assert roles.role_with(needed) in answer.json()["hint"]


def test_each_role_may_all_that_the_one_before_it_may():
    before = set()
    for role in roles.NAMES:
        now = set(roles.permissions_of(role))
        assert before < now
        before = now
    assert before == set(roles.ABOUT)
    with pytest.raises(KeyError):
        roles.permissions_of("nobody")


def test_the_groups_are_put_right_by_migrate():
    call_command("migrate", verbosity=0)
    operator = Group.objects.get(name="operator")
    operator.permissions.set(Permission.objects.filter(codename="delete_user"))
    mine = Group.objects.create(name="mine")
    call_command("migrate", verbosity=0)
    found = {f"backups_app.{p.codename}" for p in operator.permissions.all()}
    assert found == set(roles.permissions_of("operator"))
    assert not mine.permissions.exists()


def test_taking_a_pin_away_needs_more_than_setting_one(service):
    body = {"backupKey": "backups/whatsapp-data-backup-2025-08-29T05-00-00-000Z.tar.gz"}
    refused = browser_of("operator").post(
        "/api/backup/pin", {**body, "pinned": False}, content_type="application/json"
    )
    assert refused.json()["code"] == "NOT_ALLOWED"


def test_the_dashboard_knows_what_one_may():
    assert 'data-may="view_job"' in browser_of("viewer").get("/").content.decode()
    assert "restore_backup" in browser_of("restorer", "bea").get("/").content.decode()


@pytest.mark.parametrize("age", [15 * 60 + 5, -60])
def test_what_cannot_be_taken_back_needs_a_recent_login(service, age):
    old = browser_of("admin", age=age)
    for path in ("restore", "undo", "delete", "retention/confirm", "tokens"):
        answer = old.post(f"/api/backup/{path}", {}, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (403, "LOGIN_TOO_OLD"), path
        assert "/login/?again=1" in answer.json()["hint"]
    assert old.post("/api/backup/trigger").status_code == 202
    assert old.get("/api/backup/tokens").status_code == 200


def test_one_signs_in_again_while_signed_in():
    old = browser_of("restorer", age=3600)
    assert old.get("/login/").status_code == 302
    assert old.get("/login/?again=1").status_code == 200
    right = {"username": "ana", "password": "correct horse"}
    assert old.post("/login/?again=1", right).status_code == 302
    answer = old.post("/api/backup/undo")
    assert answer.json()["code"] != "LOGIN_TOO_OLD"


def test_a_person_types_the_name_of_the_backup_to_restore(service):
    person_restoring = browser_of("restorer")
    name = "whatsapp-data-backup-2025-08-29T05-00-00-000Z"
    body = {"backupKey": f"backups/{name}.tar.gz"}
    for typed in ({}, {"confirm": "restore"}, {"confirm": name[:-1]}):
        answer = person_restoring.post(
            "/api/backup/restore", {**body, **typed}, content_type="application/json"
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
        assert "is not the name of the backup" in answer.json()["message"]
    for typed in (name, "2025-08-29"):
        answer = person_restoring.post(
            "/api/backup/restore", {**body, "confirm": typed}, content_type="application/json"
        )
        assert answer.json()["code"] == "STORAGE_UNREACHABLE"
