"""What can be done with each backup, and what is said of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.steps import confirm, made_backup, part, rows, unfold

pytestmark = pytest.mark.xdist_group("dashboard")


def test_a_backup_is_one_line_until_more_is_wanted(page, tarkeep, signed_in):
    key = made_backup(tarkeep)
    signed_in()
    first = rows(page, "Backups").first
    expect(first.get_by_role("button")).to_have_count(2)
    unfold(page, "Backups")
    expect(first).to_contain_text(key)
    expect(first).to_contain_text("It is one of the 3 newest")
    expect(first).to_contain_text("Test restore also puts it into a scratch folder")
    first.locator(".fold").click()
    expect(first).not_to_contain_text(key)


def test_a_backup_is_verified(page, tarkeep, signed_in):
    made_backup(tarkeep)
    signed_in()
    unfold(page, "Backups").get_by_role("button", name="Verify the backup of").click()
    expect(part(page, "Now")).to_contain_text("Backup verified")
    expect(rows(page, "Backups").first.locator(".mark.good")).to_have_text("verified")


def test_a_test_restore_proves_that_a_backup_comes_back(page, tarkeep, signed_in):
    made_backup(tarkeep)
    signed_in()
    unfold(page, "Backups").get_by_role("button", name="Test restore of").click()
    expect(part(page, "Now")).to_contain_text("Test restore done")
    expect(rows(page, "Backups").first.locator(".mark.good")).to_have_text("restore proven")
    expect(page.locator(".since")).to_contain_text("last restore proven just now")


def test_a_backup_is_pinned_and_unpinned(page, tarkeep, signed_in):
    made_backup(tarkeep)
    signed_in()
    first = unfold(page, "Backups")
    first.get_by_role("button", name="Pin the backup of").click()
    expect(first.locator(".marks")).to_contain_text("pinned")
    expect(first).to_contain_text("it is pinned")
    first.get_by_role("button", name="Unpin the backup of").click()
    expect(first.locator(".marks")).not_to_contain_text("pinned")


def test_an_older_backup_is_deleted_once_its_day_was_typed_and_the_newest_cannot_be(
    page, tarkeep, signed_in
):
    key = made_backup(tarkeep)
    made_backup(tarkeep)
    signed_in()
    expect(unfold(page, "Backups").get_by_role("button", name="Delete")).to_have_count(0)
    second = unfold(page, "Backups", 1)
    expect(second).to_contain_text(key)
    second.get_by_role("button", name="Delete the backup of").click()
    confirm(page.get_by_role("dialog", name="Delete this backup for good?"), "Delete for good")
    expect(part(page, "Backups")).not_to_contain_text(key)
    with tarkeep.api() as api:
        left = [one["key"] for one in api.get("/api/backup/list").json()["backups"]]
    assert key not in left


def test_a_loss_of_data_stops_the_deleting_until_it_is_said_to_be_right(page, tarkeep, signed_in):
    large = tarkeep.home / "data" / "large.bin"
    large.write_bytes(bytes(2_000_000))
    made_backup(tarkeep)
    large.unlink()
    made_backup(tarkeep)
    signed_in()
    shrunk = page.locator("#top").get_by_role("listitem").filter(has_text="nothing is deleted")
    shrunk.get_by_role("button", name="It is right: confirm").click()
    dialog = page.get_by_role("dialog", name="Delete old backups again?")
    expect(dialog).to_contain_text("less than half the data")
    dialog.get_by_role("button", name="It is right").click()
    expect(shrunk).to_have_count(0)


def test_an_address_leads_to_one_backup_and_to_one_job(page, tarkeep, signed_in):
    key = made_backup(tarkeep)
    with tarkeep.api() as api:
        job = api.get("/api/backup/jobs?limit=1").json()["jobs"][0]
    made_backup(tarkeep)
    signed_in()
    page.goto(f"/#/backups/{key}")
    expect(rows(page, "Backups").nth(1)).to_contain_text("Why it stays")
    page.goto(f"/#/jobs/{job['id']}")
    expect(rows(page, "History").nth(1)).to_contain_text(job["id"])


def test_any_two_backups_are_compared(page, tarkeep, signed_in):
    data = tarkeep.home / "data"
    (data / "compared.txt").write_text("one")
    made_backup(tarkeep)
    (data / "compared.txt").unlink()
    made_backup(tarkeep)
    made_backup(tarkeep)
    signed_in()
    compare_with(page, 0, 2)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row").filter(has_text="compared.txt")).to_contain_text("removed")
    page.keyboard.press("Escape")
    compare_with(page, 2, 0)  # the older one is the old one, whichever is asked for first
    expect(dialog.get_by_role("row").filter(has_text="compared.txt")).to_contain_text("removed")


def compare_with(page: Page, one: int, other: int) -> None:
    """The choice leaves out the one that it stands beside, and begins with its own title."""
    choice = unfold(page, "Backups", one).get_by_role("combobox")
    choice.locator("option").nth(2).wait_for(state="attached")
    choice.select_option(index=other if other > one else other + 1)


def test_times_are_local_and_exact_in_utc_on_a_closer_look(page, tarkeep, signed_in):
    made_backup(tarkeep)
    signed_in()
    time = rows(page, "Backups").first.locator("time").first
    title, text, exact, local = time.evaluate(
        """time => {
            const date = new Date(time.dateTime);
            const local = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
            return [time.title, time.textContent, date.toISOString(), local];
        }"""
    )
    assert title == exact[:19].replace("T", " ") + " UTC"
    assert text.endswith(local)
