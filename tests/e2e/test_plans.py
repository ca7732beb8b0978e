"""Several plans: each page is about one, and shows how the others are."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.axe import complaints
from tests.e2e.steps import back_up, heading, made_backup, part, rows, unfold
from tests.launcher.launched import Launched

pytestmark = pytest.mark.xdist_group("dashboard 2")


@pytest.fixture
def media(tarkeep: Launched) -> Iterator[Launched]:
    """A second folder of this machine, without a backup."""
    folder = tarkeep.home / "films"
    folder.mkdir(exist_ok=True)
    (folder / "film.bin").write_bytes(b"film")
    with tarkeep.api() as api:
        made = api.post("/api/backup/plans", json={"name": "media", "dataDir": str(folder)})
        assert made.status_code == 201, made.text
        yield tarkeep
        assert api.delete("/api/backup/plans/media").status_code == 200


def plan(page: Page, name: str):
    return page.get_by_role("navigation", name="Plans").get_by_role("link", name=name)


def test_one_plan_needs_no_choice(page, signed_in):
    signed_in()
    expect(part(page, "Backups")).to_be_visible()
    expect(page.get_by_role("navigation", name="Plans")).to_have_count(0)


def test_each_plan_is_seen_and_worked_with_alone(page, media, signed_in):
    key = made_backup(media)
    signed_in()
    expect(plan(page, "media")).to_have_text(re.compile("media\\s+Not "))
    expect(plan(page, "default")).to_have_attribute("aria-current", "page")
    expect(page).to_have_title(re.compile(" · default · Tarkeep$"))
    plan(page, "media").click()
    expect(heading(page)).to_have_text("Not protected: there is no backup yet")
    expect(part(page, "Backups")).to_contain_text("No backups yet")
    expect(part(page, "Setup")).to_contain_text(str(media.home / "films"))
    back_up(page)
    expect(rows(page, "Backups")).to_have_count(1)
    expect(rows(page, "History")).to_have_count(1)
    expect(plan(page, "default")).to_have_text(re.compile("default\\s+(Protected|Attention)"))
    assert complaints(page) == []
    unfold(page, "Backups").get_by_role("button", name="Files of").click()
    row = page.get_by_role("dialog").get_by_role("row").filter(has_text="film.bin")
    with page.expect_download() as saved:
        row.get_by_role("button", name="Download").click()
    assert saved.value.path().read_bytes() == b"film"
    page.keyboard.press("Escape")
    expect(part(page, "Setup").get_by_role("link", name="Open the recovery kit")).to_have_attribute(
        "href", "/recovery-kit/?plan=media"
    )
    plan(page, "default").click()
    expect(page.locator(f"[id='more-{key}']")).to_have_count(1)


def test_a_plan_that_there_is_not_leads_to_the_environments(page, media, signed_in):
    signed_in()
    page.goto("/?plan=nothing")
    expect(plan(page, "default")).to_have_attribute("aria-current", "page")
