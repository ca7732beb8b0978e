"""Looking into backups in the browser: folders, names, one file back, two backups compared."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.steps import confirm, made_backup, unfold
from tests.launcher.launched import Launched

pytestmark = pytest.mark.xdist_group("dashboard")
MANY = 130


@pytest.fixture
def two_backups(tarkeep: Launched) -> Launched:
    """The older one has letters/0.txt and as many as fill a page; the newer one has it changed."""
    letters = tarkeep.home / "data" / "letters"
    shutil.rmtree(letters, ignore_errors=True)
    (letters / "deep").mkdir(parents=True)
    for number in range(MANY):
        (letters / f"{number:03}.txt").write_text(f"letter {number}")
    (letters / "00?.txt").write_text("one of its kind")
    (letters / "deep" / "größe & <b>.txt").write_text("kept")
    (tarkeep.home / "data" / "gone.txt").write_text("soon gone")
    made_backup(tarkeep)
    (letters / "000.txt").write_text("letter 0, rewritten")
    (tarkeep.home / "data" / "gone.txt").unlink()
    made_backup(tarkeep)
    return tarkeep


@pytest.fixture
def look(two_backups: Launched, signed_in) -> Page:
    """The dialog of the newest backup."""
    page = signed_in()
    unfold(page, "Backups").get_by_role("button", name="Files of the backup of").click()
    expect(page.get_by_role("dialog")).to_contain_text("Backup of")
    return page


def row(page: Page, text: str):
    return page.get_by_role("dialog").get_by_role("row").filter(has_text=text)


def test_folders_are_walked_down_and_up_page_by_page(look: Page) -> None:
    look.get_by_role("button", name="letters/").click()
    expect(row(look, "000.txt")).to_be_visible()
    assert look.get_by_role("dialog").get_by_role("row").count() <= 101
    look.get_by_role("button", name="Next").click()
    expect(row(look, f"{MANY - 1:03}.txt")).to_be_visible()
    look.get_by_role("button", name="Previous").click()
    expect(row(look, "000.txt")).to_be_visible()
    look.get_by_role("button", name="Next").click()
    look.get_by_role("button", name="deep/").click()
    expect(row(look, "größe & <b>.txt")).to_be_visible()
    where = look.get_by_role("navigation", name="Folder shown")
    where.get_by_role("button", name="Data folder").click()
    expect(row(look, "letters/")).to_be_visible()


def test_a_file_is_found_by_its_name_and_downloaded(look: Page) -> None:
    look.get_by_role("searchbox").fill("größe")
    look.wait_for_timeout(1200)  # the page is drawn anew meanwhile: what was typed stays
    look.get_by_role("button", name="Find").click()
    found = row(look, "letters/deep/größe & <b>.txt")
    with look.expect_download() as waiting:
        found.get_by_role("button", name="Download").click()
    assert waiting.value.path().read_text() == "kept"
    look.get_by_role("searchbox").fill("no such name")
    look.get_by_role("searchbox").press("Enter")
    expect(look.get_by_role("dialog")).to_contain_text("No name matches")
    look.get_by_role("button", name="Folders").click()
    expect(look.get_by_role("searchbox")).to_have_value("")


def test_what_changed_since_the_backup_before_is_shown(look: Page) -> None:
    look.get_by_role("button", name="What changed").click()
    dialog = look.get_by_role("dialog")
    expect(dialog).to_contain_text("0 added (0 bytes), 1 removed (9 bytes), ")
    expect(row(look, "gone.txt")).to_contain_text("removed")
    expect(row(look, "letters/000.txt")).to_contain_text("8 bytes → 19 bytes")


def test_escape_leads_back_to_the_backups(look: Page) -> None:
    look.keyboard.press("Escape")
    expect(look.get_by_role("dialog")).to_have_count(0)
    expect(look.get_by_role("button", name="Files of the backup of").first).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_on_every_screen(look: Page, width: int, scheme: str) -> None:
    look.emulate_media(color_scheme=scheme)
    look.set_viewport_size({"width": width, "height": 800})
    look.get_by_role("button", name="letters/").click()
    expect(row(look, "000.txt")).to_be_visible()
    dialog = look.get_by_role("dialog")
    expect(dialog).to_be_in_viewport(ratio=1)
    assert dialog.evaluate("element => element.scrollWidth <= element.clientWidth")


def test_a_download_that_fails_says_why(look: Page, two_backups: Launched) -> None:
    look.route("**/api/backup/download*", lambda route: route.continue_(url=elsewhere(route)))
    row(look, "state.json").get_by_role("button", name="Download").click()
    expect(look.get_by_role("dialog")).to_contain_text("The backup holds nothing at")


def elsewhere(route: Route) -> str:
    """The same of a file that is not there."""
    return route.request.url.replace("state.json", "no-such-file")


def test_one_file_comes_back_and_nothing_else_changes(look: Page, two_backups: Launched) -> None:
    """Also one whose name would be a pattern for others."""
    data = two_backups.home / "data"
    (data / "letters" / "001.txt").write_text("spoilt")
    (data / "letters" / "002.txt").write_text("changed on purpose")
    look.get_by_role("button", name="letters/").click()
    row(look, "00?.txt").get_by_role("button", name="Restore").click()
    restore_it(look, "letters/00?.txt")
    assert (data / "letters" / "001.txt").read_text() == "spoilt"
    unfold(look, "Backups").get_by_role("button", name="Files of the backup of").click()
    look.get_by_role("button", name="letters/").click()
    row(look, "001.txt").get_by_role("button", name="Restore").click()
    restore_it(look, "letters/001.txt")
    assert (data / "letters" / "001.txt").read_text() == "letter 1"
    assert (data / "letters" / "002.txt").read_text() == "changed on purpose"


def restore_it(page: Page, name: str) -> None:
    question = page.get_by_role("dialog", name="Restore only this?")
    expect(question).to_contain_text(name)
    confirm(question, "Restore")
    expect(page.get_by_role("region", name="Now")).to_contain_text("Restore done: 1 file")
    page.get_by_role("region", name="Now").get_by_role("button", name="Close").click()
