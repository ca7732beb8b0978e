"""The audit log: what is in it, and that it shows when somebody changed it."""

import json
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from backups_app import audit
from backups_app.models import AuditEntry, AuditHead
from backups_app.models.audit import AuditIsAppendOnly, broken_links
from tests.support.people import browser_of, browser_with, person, superuser
from tests.support.service import KEY, make_job

pytestmark = pytest.mark.django_db


def some(count=5):
    return [audit.record("trigger", actor=f"ana{n}", how="session", n=n) for n in range(count)]


def rows():
    return [(e.action, e.target, e.outcome, e.actor) for e in AuditEntry.objects.order_by("number")]


def test_what_changes_something_is_told_with_who_what_where(service, api):
    job = make_job()
    api.post("/api/backup/trigger")
    api.post(f"/api/backup/jobs/{job.pk}/cancel")
    api.post("/api/backup/restore", {"backupKey": KEY}, content_type="application/json")
    api.get("/api/backup/download", {"backupKey": KEY, "path": "state.json"})
    assert [row[:2] for row in rows()] == [
        ("trigger", ""),
        ("cancel", str(job.pk)),
        ("restore", KEY),
        ("download", f"{KEY} state.json"),
    ]
    assert [row[2] for row in rows()][:3] == ["JOB_ACTIVE", "done", "STORAGE_UNREACHABLE"]
    told = AuditEntry.objects.first()
    assert (told.actor, told.how, told.address) == ("API token", "token", "127.0.0.1")


def test_what_is_only_looked_at_is_not_told(service, api):
    api.get("/api/backup/status")
    api.get("/api/backup/jobs")
    assert rows() == []


def test_refusals_are_told_once_a_minute(service):
    for _ in range(5):
        Client(REMOTE_ADDR="10.9.8.7").get("/api/backup/audit")
    browser_of("viewer").post("/api/backup/undo", REMOTE_ADDR="10.9.8.7")
    assert rows() == [
        ("audit", "", "NOT_AUTHENTICATED", "anonymous"),
        ("undo", "", "NOT_ALLOWED", "ana"),
    ]


def test_signing_in_and_out_is_told_and_no_password_typed_as_a_name_is():
    person("viewer")
    browser = Client()
    browser.post("/login/", {"username": "hunter2", "password": "x"})
    browser.post("/login/", {"username": "ana", "password": "x"})
    browser.post("/login/", {"username": "ana", "password": "correct horse"})
    browser.post("/logout/")
    assert [(action, outcome, actor) for action, _, outcome, actor in rows()] == [
        ("login", "refused", "unknown account"),
        ("login", "refused", "ana"),
        ("login", "done", "ana"),
        ("logout", "done", "ana"),
    ]


def test_changes_to_accounts_are_told():
    client = browser_with(superuser())
    password = "correct horse battery"
    form = {"username": "bea", "password1": password, "password2": password}
    client.post("/admin/auth/user/add/", {**form, "usable_password": "true"})
    assert rows() == [("add", "user bea", "done", "root")]
    assert password not in str(list(AuditEntry.objects.values()))


def details(action):
    return AuditEntry.objects.filter(action=action).latest("number").details


def test_how_far_a_change_goes_is_told(service, api):
    body = {"backupKey": KEY, "paths": ["a" * 300, *(f"{n}" for n in range(30))]}
    api.post("/api/backup/restore", body, content_type="application/json")
    told = details("restore")
    assert (told["pathCount"], told["to"], len(told["paths"])) == (31, "", 20)
    assert told["paths"][:2] == ["a" * 200, "0"]
    for pinned in (True, False):
        body = {"backupKey": KEY, "pinned": pinned}
        api.post("/api/backup/pin", body, content_type="application/json")
        assert details("pin") == {"pinned": pinned}


def test_tokens_are_told_with_their_prefix_and_their_rights(service, api):
    body = {"name": "report", "permissions": ["view_job"], "days": 3}
    made = api.post("/api/backup/tokens", body, content_type="application/json").json()
    assert AuditEntry.objects.latest("number").target == f"report (tk_{made['id']})"
    told = details("tokens")
    assert told["permissions"] == ["view_job"]
    assert told["expires"].startswith(made["expiresAt"][:10])
    assert made["token"] not in str(list(AuditEntry.objects.values()))
    api.post(f"/api/backup/tokens/{made['id']}/revoke")
    assert AuditEntry.objects.latest("number").target == f"report (tk_{made['id']})"


def test_an_entry_neither_changes_nor_goes():
    (entry,) = some(1)
    entry.actor = "eve"
    for attempt in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(actor="eve"),
        lambda: AuditEntry.objects.bulk_create([entry]),
    ):
        with pytest.raises(AuditIsAppendOnly):
            attempt()
    assert AuditEntry.objects.get().actor == "ana0"


def test_a_whole_log_verifies():
    entries = some()
    out = StringIO()
    call_command("verify_audit", "--hash", entries[2].hash, stdout=out)
    assert f"5 entries, head {entries[-1].hash}" in out.getvalue()


@pytest.mark.parametrize(
    ("tampering", "told"),
    [
        ("UPDATE backups_app_auditentry SET actor = 'eve' WHERE number = 3", "3 was changed"),
        ("DELETE FROM backups_app_auditentry WHERE number = 3", "3 is missing"),
        ("DELETE FROM backups_app_auditentry WHERE number = 5", "should end with 5"),
        ("DELETE FROM backups_app_auditentry", "should end with 5"),
    ],
)
def test_tampering_shows(tampering, told):
    some()
    with connection.cursor() as cursor:
        cursor.execute(tampering)
    with pytest.raises(CommandError, match=told):
        call_command("verify_audit")


def test_a_log_written_anew_lacks_the_hashes_that_were_told():
    known = some()[-1].hash
    AuditEntry.objects.all()._raw_delete("default")
    AuditHead.objects.all().delete()
    some()
    assert list(broken_links()) == []
    with pytest.raises(CommandError, match="No entry has the hash"):
        call_command("verify_audit", "--hash", known)


def test_the_export_holds_every_entry():
    entries = some()
    out = StringIO()
    call_command("export_audit", "--after", "2", stdout=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["hash"] for line in lines] == [entry.hash for entry in entries[2:]]
    assert lines[0]["details"] == {"n": 2}


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_make_one_chain():
    def write():
        for _ in range(5):
            audit.record("trigger", actor="x", how="session")
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AuditEntry.objects.count() == 20
    assert list(broken_links()) == []


def test_the_api_and_the_admin_show_it(service, api, client, django_user_model):
    entries = some()
    page = api.get("/api/backup/audit", {"limit": 2, "before": 4}).json()["entries"]
    assert [entry["number"] for entry in page] == [3, 2]
    assert page[0]["hash"] == entries[2].hash
    client.force_login(django_user_model.objects.create_superuser("root", "", "x"))
    assert "ana3" in client.get("/admin/backups_app/auditentry/").content.decode()
    for path in ("add/", "1/delete/", "1/change/"):
        assert client.post(f"/admin/backups_app/auditentry/{path}").status_code == 403
