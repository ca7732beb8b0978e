"""Who may not, or no longer, sees that and whom to ask."""

from __future__ import annotations

import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.e2e.steps import heading, made_backup, part, rows, sign_in
from tests.launcher.launched import Launched, clean_environment

pytestmark = pytest.mark.xdist_group("dashboard 2")
PASSWORD = "correct horse battery"
PEOPLE = f"""
from django.contrib.auth.models import Group, User
for name in ("viewer", "nobody"):
    user, _ = User.objects.get_or_create(username=name)
    user.set_password("{PASSWORD}")
    user.save()
    if name == "viewer":
        user.groups.add(Group.objects.get(name="viewer"))
"""


@pytest.fixture
def people(tarkeep: Launched) -> Launched:
    """Accounts: one that may look, one that may nothing."""
    code = [sys.executable, "manage.py", "shell", "-v", "0", "-c", PEOPLE]
    subprocess.run(code, cwd=tarkeep.home, env=clean_environment(), check=True, timeout=60)
    return tarkeep


def test_a_wrong_password_is_said_to_be_wrong(page, tarkeep):
    page.goto("/")
    page.get_by_label("User name").fill("somebody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("correct username and password")


def test_who_is_signed_out_meanwhile_is_told_and_sees_nothing_more(page, context, signed_in):
    signed_in()
    expect(page.locator("#verdict")).to_be_visible()
    context.clear_cookies()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(heading(page)).to_have_text("You are signed out")
    expect(part(page, "Backups")).to_be_hidden()
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_label("Password")).to_be_visible()


def test_who_may_only_look_is_told_whom_to_ask(page, people):
    made_backup(people)
    sign_in(page, people, "viewer", PASSWORD)
    expect(rows(page, "Backups").first).to_be_visible()
    expect(part(page, "Backups")).to_contain_text("ask an administrator for the role restorer")
    expect(page.locator("#top")).to_contain_text("ask an administrator for the role operator")
    for name in ("Restore the backup", "Back up now", "Check now", "API tokens"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_who_may_nothing_is_told_what_to_ask_for(page, people):
    sign_in(page, people, "nobody", PASSWORD)
    expect(heading(page)).to_have_text("Your account may not see this")
    expect(page.locator("main")).to_contain_text("viewer, operator, restorer or admin")
    expect(part(page, "Backups")).to_be_hidden()


def test_a_part_that_cannot_be_loaded_says_so_and_the_others_work(page, tarkeep, signed_in):
    made_backup(tarkeep)  # without any job there is no calendar
    page.route("**/parts/calendar.js", lambda route: route.abort())
    signed_in()
    expect(part(page, "History")).to_contain_text("This part of the page could not be loaded")
    expect(part(page, "History")).to_contain_text(".venv/bin/tarkeep --help")
    expect(part(page, "Setup")).to_contain_text("Recovery kit")


def test_a_page_that_does_not_come_up_says_what_else_there_is(page, signed_in):
    signed_in()
    page.route("**/vendor/preact-*.js", lambda route: route.abort())
    page.goto("/")
    expect(page.locator(".fallback")).to_be_visible()
    expect(page.locator("#top")).to_contain_text(".venv/bin/tarkeep restore latest")
