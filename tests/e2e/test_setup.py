"""Setup: what is set, and what to have at hand on the worst day."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.steps import made_backup, part
from tests.launcher.launched import TOKEN

pytestmark = pytest.mark.xdist_group("dashboard 2")


def test_every_setting_is_shown_with_where_it_comes_from_and_no_secret(page, signed_in):
    signed_in()
    setup = part(page, "Setup")
    setup.get_by_role("button", name="All settings").click()
    token = setup.locator(".settings > div").filter(has_text="BACKUP_API_TOKEN")
    expect(token).to_contain_text("set environment")
    setup.get_by_text("settings as they come").click()
    kept = setup.locator(".settings > div").filter(has_text="BACKUP_MAX_BACKUPS")
    expect(kept).to_contain_text("3 default")
    assert TOKEN not in page.content()


def test_the_schedule_is_paused_and_resumed(page, signed_in):
    signed_in()
    setup = part(page, "Setup")
    expect(setup).to_contain_text("by the cron line 0 3 29 2 * in the time zone")
    setup.get_by_role("button", name="Pause the schedule").click()
    paused = page.locator("#top").get_by_role("listitem").filter(has_text="The schedule is paused")
    expect(paused).to_contain_text("No backup is made by itself")
    paused.get_by_role("button", name="Resume the schedule").click()
    expect(paused).to_have_count(0)
    expect(setup.get_by_role("button", name="Pause the schedule")).to_be_visible()


def test_the_check_tells_what_is_well_and_what_is_not(page, signed_in):
    signed_in()
    setup = part(page, "Setup")
    setup.get_by_role("button", name="Check now").click()
    expect(setup).to_contain_text("Checked just now")
    setup.get_by_text("things are well").click()
    expect(setup.locator(".findings .ok").first).to_be_visible()
    expect(setup.locator(".findings .note").first).to_be_visible()


def test_without_an_address_a_test_message_says_what_to_set(page, signed_in):
    signed_in()
    part(page, "Setup").get_by_role("button", name="Send a test message").click()
    expect(page.get_by_role("alert")).to_contain_text("BACKUP_NOTIFY_URLS")


def test_a_token_is_made_shown_once_and_revoked(page, signed_in):
    signed_in()
    setup = part(page, "Setup")
    setup.get_by_role("button", name="API tokens").click()
    setup.get_by_label("Name of a new token").fill("for the report")
    setup.get_by_role("button", name="Make a token").click()
    expect(setup.locator(".message.good code")).to_contain_text("tk_")
    row = setup.locator(".row").filter(has_text="for the report")
    expect(row).to_contain_text("viewer")
    row.get_by_role("button", name="Revoke the token for the report").click()
    expect(row).to_have_count(0)


def test_the_recovery_kit_says_how_to_get_the_data_back_and_holds_no_secret(
    page, tarkeep, signed_in
):
    key = made_backup(tarkeep)
    signed_in()
    part(page, "Setup").get_by_role("link", name="Open the recovery kit").click()
    kit = page.locator("main")
    expect(kit).to_contain_text(key)
    expect(kit).to_contain_text("tar -xzf plain.tar.gz -C restored")
    secrets = (tarkeep.home / "var" / "bucket.env").read_text().splitlines()
    for line in secrets:
        if "SECRET" in line:
            assert line.partition("=")[2] not in page.content()


def test_the_script_that_decrypts_is_downloaded(page, tarkeep, context, signed_in):
    signed_in()
    answer = context.request.get("/recovery-kit/tarkeep_decrypt.py")
    assert "Needs Python and `cryptography` only" in answer.text()
    assert "attachment" in answer.headers["content-disposition"]
