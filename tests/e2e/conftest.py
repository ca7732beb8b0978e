"""The real stack, started as `make run` starts it, and the system's Chromium to look at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.steps import LIMIT, sign_in
from tests.launcher.launched import Launched, copy_tree

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Stopped with its module: Playwright keeps an event loop that Django's ORM would refuse."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


def chromium() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    why = f"no browser: none of {', '.join(NAMES)} is on PATH (apt install chromium-headless-shell)"
    return pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)


# On, and never due while tests run: 29 February.
SCHEDULE = {
    "BACKUP_ENABLED": "true",
    "BACKUP_SCHEDULE": "0 3 29 2 *",
    "BACKUP_VERIFY_SCHEDULE": "off",
}


@pytest.fixture(scope="package")
def tarkeep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """A service with its sample data, shared by all tests of a group, and ended behind them: even
    one that is idle takes a tenth of a core.

    They come in any order: each makes what it needs, assumes nothing of what else lies there, and
    leaves the service idle.
    """
    home = copy_tree(tmp_path_factory.mktemp("e2e") / "tarkeep")
    launched = Launched(home, **SCHEDULE).started()
    yield launched
    launched.stop()


@pytest.fixture
def context(browser: Browser, tarkeep: Launched) -> Iterator[BrowserContext]:
    """A fresh profile in a zone that is not UTC."""
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{tarkeep.port}",
        timezone_id="America/Sao_Paulo",
        locale="en-GB",
        viewport={"width": 1280, "height": 900},
    )
    context.set_default_timeout(LIMIT)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that may neither throw nor run into its content security policy."""
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Policy" in said.text else None)
    yield page
    assert faults == []


@pytest.fixture
def signed_in(page: Page, tarkeep: Launched) -> Callable[[], Page]:
    """Opens the dashboard as the first administrator, once the test has made its preparations."""

    return lambda: sign_in(page, tarkeep)


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Callable[..., Launched]]:
    """Starts a service of its own with the settings given; `dotenv` is its file `.env`."""
    begun: list[Launched] = []

    def start(dotenv: str = "", **settings: str) -> Launched:
        home = copy_tree(tmp_path / "tarkeep")
        (home / ".env").write_text(dotenv)
        begun.append(Launched(home, **settings).started())
        return begun[-1]

    yield start
    for one in begun:
        one.stop()
