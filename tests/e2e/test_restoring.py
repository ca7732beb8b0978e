"""Restoring on the dashboard, and going back: the day it is all for."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.steps import heading, made_backup, part, rows, spoil

pytestmark = pytest.mark.xdist_group("dashboard")


def ask_for_the_newest(page: Page) -> Locator:
    rows(page, "Backups").first.get_by_role("button", name="Restore the backup of").click()
    return page.get_by_role("dialog", name="Restore this backup?")


def test_a_restore_happens_only_after_the_backups_day_was_typed_and_is_undone(
    page, tarkeep, signed_in
):
    made_backup(tarkeep)
    added = tarkeep.home / "data" / "added-later"
    added.write_text("not in the backup")
    signed_in()
    dialog = ask_for_the_newest(page)
    expect(dialog).to_contain_text(f"the whole folder {tarkeep.home}/data is replaced")
    expect(dialog.locator(".numbers-told")).to_contain_text("Leave the folder: not in the backup1")
    expect(dialog).to_contain_text("Tarkeep does not stop the application")
    restore = dialog.get_by_role("button", name="Restore", exact=True)
    expect(restore).to_be_disabled()
    day = dialog.locator(".typed strong").inner_text()
    dialog.get_by_role("textbox").fill(day[:-1])
    expect(restore).to_be_disabled()
    dialog.get_by_role("textbox").fill(day)
    restore.click()
    expect(page.get_by_role("heading", name="Now")).to_be_focused()
    expect(part(page, "Now")).to_contain_text("Restore done")
    expect(part(page, "Now")).to_contain_text(f"{tarkeep.home}/data.before-restore-")
    assert not added.exists()
    undo_the_restore(page)
    assert added.read_text() == "not in the backup"
    undo_the_restore(page)
    assert not added.exists()
    expect(page.get_by_text("kept from before")).to_be_visible()


def undo_the_restore(page: Page) -> None:
    now = part(page, "Now")
    kept = now.locator(".undo code").first
    before = kept.inner_text()
    now.get_by_role("button", name="Undo the restore").click()
    dialog = page.get_by_role("dialog", name="Undo the last restore?")
    expect(dialog).to_contain_text("/data.before-restore-")
    dialog.get_by_role("button", name="Undo the restore", exact=True).click()
    expect(now).to_contain_text("Restore undone")
    expect(kept).not_to_have_text(before)


def test_the_keyboard_alone_is_enough_to_restore(page, tarkeep, signed_in):
    made_backup(tarkeep)
    spoilt = tarkeep.home / "data" / "by-keyboard"
    spoilt.write_text("goes")
    signed_in()
    restore = rows(page, "Backups").first.get_by_role("button", name="Restore the backup of")
    expect(restore).to_be_enabled()
    press_tab_until(page, restore)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Restore this backup?")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    page.keyboard.type(dialog.locator(".typed strong").inner_text())
    page.keyboard.press("Enter")
    expect(part(page, "Now")).to_contain_text("Restore done")
    told = page.get_by_role("status").filter(has_text="Restore done")
    expect(told).to_have_count(1)
    assert not spoilt.exists()


def press_tab_until(page: Page, wanted: Locator) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("button => button === document.activeElement"):
            return
    raise AssertionError("the keyboard does not lead there")


def test_escape_leaves_everything_as_it_is_and_a_second_dialog_starts_afresh(
    page, tarkeep, signed_in
):
    made_backup(tarkeep)
    signed_in()
    restore = rows(page, "Backups").first.get_by_role("button", name="Restore the backup of")
    restore.click()
    page.get_by_role("dialog").get_by_role("textbox").fill("2025")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(restore).to_be_focused()
    restore.click()
    expect(page.get_by_role("dialog").get_by_role("textbox")).to_have_value("")


def test_an_old_login_is_asked_for_before_anything_is_typed(page, tarkeep, signed_in):
    made_backup(tarkeep)
    signed_in()
    page.route(re.compile(r":\d+/$"), an_hour_later)
    page.reload()
    dialog = ask_for_the_newest(page)
    expect(dialog.get_by_role("textbox")).to_have_count(0)
    expect(dialog).to_contain_text("you must have signed in within the last 15 minutes")
    dialog.get_by_role("link", name="Sign in again").click()
    expect(page.get_by_label("Password")).to_be_visible()


def an_hour_later(route: Route) -> None:
    """The page as it is when one has signed in an hour ago."""
    answer = route.fetch()
    page = re.sub(r'data-recent-until="\d+"', 'data-recent-until="1000"', answer.text())
    route.fulfill(response=answer, body=page)


def test_a_damaged_backup_is_marked_and_asks_once_more(page, tarkeep, signed_in):
    key = made_backup(tarkeep)
    spoil(tarkeep, key)
    with tarkeep.api() as api:
        failed = api.post("/api/backup/verify", params={"wait": 60}, json={"backupKey": key})
        assert failed.json()["code"].startswith("ARCHIVE_"), failed.text
        signed_in()
        first = rows(page, "Backups").first
        expect(first.locator(".mark.bad")).to_have_text("damaged")
        expect(heading(page)).to_contain_text("is damaged")
        dialog = ask_for_the_newest(page)
        dialog.get_by_role("textbox").fill(dialog.locator(".typed strong").inner_text())
        restore = dialog.get_by_role("button", name="Restore", exact=True)
        expect(restore).to_be_disabled()
        dialog.get_by_label("I know that it is damaged").check()
        restore.click()
        expect(part(page, "Now")).to_contain_text("The restore failed")
        made_backup(tarkeep)
        assert api.post("/api/backup/delete", json={"backupKey": key}).status_code == 200
