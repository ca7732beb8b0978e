"""On every screen, in light and dark, for everybody, and soon there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.axe import complaints
from tests.e2e.steps import made_backup, part, rows, unfold

pytestmark = pytest.mark.xdist_group("dashboard 2")
MOST = 150_000  # bytes of the first load


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_needs_sideways_scrolling(page, tarkeep, signed_in, width, scheme):
    made_backup(tarkeep)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 640})
    signed_in()
    unfold(page, "Backups")
    unfold(page, "History").get_by_role("button", name="Show the log").click()
    part(page, "Setup").get_by_role("button", name="All settings").click()
    for details in page.locator("summary").all():
        details.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    rows(page, "Backups").first.get_by_role("button", name="Restore the backup of").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_in_viewport(ratio=1)
    expect(dialog.get_by_role("button", name="Restore", exact=True)).to_be_in_viewport(ratio=1)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(15, 19, 25)") == (scheme == "dark")


def overview(page: Page) -> None:
    unfold(page, "Backups")
    unfold(page, "History").get_by_role("button", name="Show the log").click()
    for name in ("All settings", "API tokens", "Curves"):
        page.get_by_role("button", name=name).click()
    expect(page.locator(".uplot")).not_to_have_count(0)


def restore_dialog(page: Page) -> None:
    rows(page, "Backups").first.get_by_role("button", name="Restore the backup of").click()
    expect(page.locator(".numbers-told")).to_be_visible()


def files_dialog(page: Page) -> None:
    unfold(page, "Backups").get_by_role("button", name="Files of").click()
    expect(page.get_by_role("dialog").get_by_role("row").nth(1)).to_be_visible()


def signed_out(page: Page) -> None:
    page.context.clear_cookies()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")


def recovery_kit(page: Page) -> None:
    page.goto("/recovery-kit/")


def sign_in_page(page: Page) -> None:
    page.goto("/login/?again=1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "state", [overview, restore_dialog, files_dialog, signed_out, recovery_kit, sign_in_page]
)
def test_axe_finds_nothing(
    page: Page, tarkeep, signed_in, state: Callable[[Page], None], scheme: str
):
    made_backup(tarkeep)
    made_backup(tarkeep)
    page.emulate_media(color_scheme=scheme)
    signed_in()
    state(page)
    assert complaints(page) == []


def test_the_first_load_is_small_and_needs_no_second_round(page, tarkeep, signed_in):
    made_backup(tarkeep)
    signed_in()
    expect(rows(page, "Backups").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    loaded = page.evaluate(
        """() => [...performance.getEntriesByType('navigation'),
                  ...performance.getEntriesByType('resource')]
                 .filter(one => !one.name.includes('/api/'))
                 .map(one => [one.name, one.transferSize])"""
    )
    assert sum(size for _, size in loaded) < MOST, loaded
    named = page.locator("link[rel=modulepreload]").evaluate_all("all => all.map(one => one.href)")
    assert len(named) > 20
    assert set(named) < {name for name, _ in loaded}
