"""API tokens: what they may, how long, and what is kept of them. Row 76."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from backups_app import roles
from backups_app.models import ApiToken, AuditEntry, Job, Trigger
from backups_app.tokens import TokenRefused, make_token
from tests.support.people import person

pytestmark = pytest.mark.django_db
URL = "/api/backup/tokens"


def client_of(text):
    return Client(headers={"Authorization": f"Bearer {text}"})


def status_with(text):
    return client_of(text).get("/api/backup/status").status_code


def test_a_token_may_what_its_role_may(service):
    token, text = make_token(name="ci", role="operator")
    started = client_of(text).post("/api/backup/trigger")
    assert started.status_code == 202
    job = Job.objects.get()
    assert (job.trigger, job.requested_by) == (Trigger.API, str(token))
    refused = client_of(text).post("/api/backup/undo")
    assert refused.json()["code"] == "NOT_ALLOWED"
    assert "restorer" in refused.json()["hint"]


def test_a_token_may_have_single_permissions(service):
    _, text = make_token(name="trigger only", permissions=["start_job"])
    assert status_with(text) == 403
    assert client_of(text).post("/api/backup/trigger").status_code == 202


@pytest.mark.parametrize(
    "ended",
    [
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"revoked_at": timezone.now()},
        {"digest": "0" * 64},
    ],
)
def test_row_76_expired_revoked_and_wrong_tokens_are_refused(service, ended):
    token, text = make_token(name="x", role="admin")
    assert status_with(text) == 200
    ApiToken.objects.filter(pk=token.pk).update(**ended)
    answer = client_of(text).post("/api/backup/trigger")
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTHENTICATION_FAILED")
    told = AuditEntry.objects.first()
    assert (told.action, told.outcome) == ("trigger", "AUTHENTICATION_FAILED")


@pytest.mark.parametrize(
    "text",
    ["tk_", "tk__", "tk_00000000_", "tk_00000000_x", "tk_00000000_" + "x" * 43, "tk_\0_\0", "é"],
)
def test_no_odd_text_is_a_token(service, text):
    assert status_with(text.encode().decode("latin-1")) == 401


def test_the_text_is_not_kept(service):
    token, text = make_token(name="x", role="viewer")
    row = str(ApiToken.objects.filter(pk=token.pk).values().get())
    secret = text.split("_", 2)[2]
    assert len(secret) >= 43
    assert secret not in row
    assert secret not in client_of(text).get("/api/backup/status").content.decode()


def test_a_token_may_no_more_than_its_owner_may_now(service):
    owner = person("restorer")
    _, text = make_token(name="mine", role="operator", owner=owner)
    assert client_of(text).post("/api/backup/trigger").status_code == 202
    owner.groups.clear()
    assert status_with(text) == 403
    owner.is_active = False
    owner.save()
    assert status_with(text) == 401


def test_nobody_gives_more_than_they_have(service):
    with pytest.raises(TokenRefused) as refused:
        make_token(name="x", role="admin", owner=person("restorer"))
    assert "let backups go" in refused.value.message


def made_by(text, **body):
    return client_of(text).post(URL, {"name": "child", **body}, content_type="application/json")


def test_row_76_a_token_gives_no_more_than_it_has(service):
    _, text = make_token(name="x", permissions=["manage_tokens", "view_job"])
    assert made_by(text, role="viewer").json()["permissions"] == ["view_job"]
    for more in ({"role": "admin"}, {"role": "operator"}, {"permissions": ["start_job"]}):
        answer = made_by(text, **more)
        assert (answer.status_code, answer.json()["code"]) == (400, "TOKEN_REFUSED")
        assert "may not either" in answer.json()["message"]
    assert {token.name for token in ApiToken.objects.all()} == {"x", "child"}


def test_row_76_a_token_gives_no_longer_than_it_lives(service):
    parent, text = make_token(name="x", role="admin", days=10)
    for days in (None, 11, 3650):
        assert made_by(text, role="viewer", days=days).status_code == 201
    assert made_by(text, role="viewer", days=1).status_code == 201
    ends = list(ApiToken.objects.filter(name="child").order_by("pk").values_list("expires_at"))
    assert ends[:3] == [(parent.expires_at,)] * 3
    assert ends[3][0] < parent.expires_at


def test_row_76_what_a_token_made_is_revoked_with_it(service):
    parent, text = make_token(name="x", role="admin")
    child = made_by(text, role="admin").json()["token"]
    grandchild = made_by(child, role="viewer").json()["token"]
    other = made_by(text, role="viewer").json()
    assert status_with(grandchild) == 200
    ApiToken.objects.filter(prefix=other["id"]).revoke()
    assert status_with(grandchild) == 200
    assert ApiToken.objects.filter(pk=parent.pk).revoke() == 3
    assert [status_with(one) for one in (text, child, grandchild)] == [401] * 3


def test_the_fixed_token_makes_tokens_of_its_own_right(api, service):
    body = {"name": "x", "role": "admin", "days": None}
    assert api.post(URL, body, content_type="application/json").json()["expiresAt"] is None


def test_its_use_is_noted(service):
    token, text = make_token(name="x", role="viewer")
    status_with(text)
    token.refresh_from_db()
    assert token.last_used_at is not None
    assert token.last_used_from == "127.0.0.1"


def test_tokens_are_made_listed_and_revoked_over_the_api(api, service):
    made = api.post(URL, {"name": "x", "role": "viewer"}, content_type="application/json")
    assert made.status_code == 201
    text = made.json()["token"]
    assert status_with(text) == 200
    (listed,) = api.get(URL).json()["tokens"]
    assert listed["id"] == made.json()["id"] == text.split("_")[1]
    assert "token" not in listed
    revoked = api.post(f"{URL}/{listed['id']}/revoke")
    assert revoked.json()["revokedAt"]
    assert status_with(text) == 401
    assert api.post(f"{URL}/00000000/revoke").status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "INVALID_REQUEST"),
        ({"name": "x"}, "TOKEN_REFUSED"),
        ({"name": "x", "role": "viewer", "permissions": ["view_job"]}, "TOKEN_REFUSED"),
        ({"name": "x", "role": "root"}, "INVALID_REQUEST"),
        ({"name": "x", "permissions": ["delete_user"]}, "INVALID_REQUEST"),
        ({"name": "x", "role": "viewer", "days": 0}, "INVALID_REQUEST"),
    ],
)
def test_what_makes_no_token_is_named(api, service, body, code):
    answer = api.post(URL, body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert not ApiToken.objects.exists()


def test_the_command_prints_a_token_that_works(service):
    out = StringIO()
    call_command("create_token", "report", "--role", "viewer", "--days", "0", stdout=out)
    assert status_with(out.getvalue().strip()) == 200
    assert ApiToken.objects.get().expires_at is None
    assert AuditEntry.objects.get(action="create_token").how == "command line"
    with pytest.raises(CommandError, match="no account"):
        call_command("create_token", "x", "--role", "viewer", "--owner", "nobody")
    with pytest.raises(CommandError, match="no permission"):
        call_command("create_token", "x", "--permission", "fly")


def test_me_says_what_one_may(service):
    _, text = make_token(name="x", role="operator")
    told = client_of(text).get("/api/backup/me").json()
    assert told["byToken"]
    assert {f"backups_app.{name}" for name in told["permissions"]} == set(
        roles.permissions_of("operator")
    )
