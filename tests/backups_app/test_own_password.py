"""/password/, and the file with the first administrator's password."""

import json
import stat
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.test import Client

from backups_app import first_password
from backups_app.models import AuditEntry
from backups_app.models.attempt import MOST_FOR_NAME
from tests.support.people import browser_of

pytestmark = pytest.mark.django_db
URL, NEW = "/password/", "correct horse battery"


def changed(browser, old="correct horse", new=NEW):
    form = {"old_password": old, "new_password1": new, "new_password2": new}
    return browser.post(URL, form)


def test_everybody_changes_their_own_password_and_it_is_told():
    browser = browser_of("")
    other = Client()
    other.post("/login/", {"username": "ana", "password": "correct horse"})
    assert "Password until now" in browser.get(URL).content.decode()
    answer = changed(browser)
    assert answer.headers["Location"] == "/password/changed/"
    assert "is changed" in browser.get("/password/changed/").content.decode()
    assert authenticate(username="ana", password=NEW)
    assert browser.get("/").status_code == 200
    assert other.get("/").status_code == 302
    told = AuditEntry.objects.get(action="password")
    assert (told.actor, told.outcome, told.details) == ("ana", "done", {})


def test_a_wrong_old_password_is_told_and_cannot_be_guessed():
    browser = browser_of("viewer")
    codes = [changed(browser, old="guess").status_code for _ in range(MOST_FOR_NAME + 1)]
    assert codes == [200] * MOST_FOR_NAME + [429]
    assert changed(browser).status_code == 429
    assert authenticate(username="ana", password="correct horse")
    told = AuditEntry.objects.filter(action="password")
    assert {entry.outcome for entry in told} == {"refused"}


def test_a_weak_new_password_is_named_and_counts_as_no_guess():
    browser = browser_of("viewer")
    for _ in range(MOST_FOR_NAME + 1):
        answer = changed(browser, new="12345678")
        assert "too common" in answer.content.decode()
    assert changed(browser).status_code == 302


def test_strangers_have_no_password_to_change():
    for url in (URL, "/password/changed/"):
        assert Client().get(url).headers["Location"].startswith("/login/")


def test_the_admin_leads_to_the_same_page():
    assert browser_of("admin").get("/admin/password_change/").headers["Location"] == URL


def first_admin():
    out = StringIO()
    call_command("create_first_admin", stdout=out)
    return json.loads(out.getvalue())


def test_the_first_password_is_in_a_file_until_somebody_has_signed_in_with_it():
    first_password.file().unlink(missing_ok=True)
    made = first_admin()
    file = first_password.file()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == made
    browser_of("viewer")
    Client().post("/login/", {"username": "ana", "password": "correct horse"})
    Client().post("/login/", {"username": "admin", "password": "wrong"})
    assert file.exists()
    Client().post("/login/", {"username": "admin", "password": made["password"]})
    assert not file.exists()
    assert first_admin()["password"] is None
    assert not file.exists()
