"""The worst days, one after the other, on a service of its own: a killed worker, a wrong key,
storage that goes away."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.steps import LIMIT, back_up, heading, part, rows, sign_in, unfold
from tests.launcher.launched import Launched
from tests.support.tcp_proxy import TcpProxy
from worker.engine.config import StorageConfig

pytestmark = pytest.mark.xdist_group("story")
KEY = "correct horse battery staple, and then some"


@pytest.fixture
def way(storage_config: StorageConfig) -> Iterator[TcpProxy]:
    """The way to the storage, which can be cut."""
    target = urlsplit(storage_config.endpoint)
    assert target.hostname
    assert target.port
    proxy = TcpProxy((target.hostname, target.port))
    yield proxy
    proxy.stop()


@pytest.fixture
def settings(storage_config: StorageConfig, way: TcpProxy) -> dict[str, str]:
    """Of a service on storage elsewhere, with a schedule and a slow line."""
    return {
        "BACKUP_S3_BUCKET": storage_config.bucket,
        "BACKUP_S3_ENDPOINT": f"http://127.0.0.1:{way.port}",
        "BACKUP_S3_ACCESS_KEY": storage_config.access_key,
        "BACKUP_S3_SECRET_KEY": storage_config.secret_key,
        "BACKUP_ENABLED": "true",
        "BACKUP_UPLOAD_LIMIT": "1M",
    }


def opened(browser: Browser, tarkeep: Launched) -> Page:
    page = browser.new_page(base_url=f"http://127.0.0.1:{tarkeep.port}")
    page.set_default_timeout(LIMIT)
    return sign_in(page, tarkeep)


def test_from_the_first_backup_through_a_killed_worker_and_a_wrong_key_to_lost_storage(
    browser, launched, settings, way
):
    tarkeep = launched(dotenv=f"BACKUP_ENCRYPTION_KEY={KEY}\n", **settings)
    page = opened(browser, tarkeep)
    expect(heading(page)).to_have_text("Not protected: there is no backup yet")
    expect(page).to_have_title("Not protected · Tarkeep")
    expect(part(page, "Backups")).to_contain_text("No backups yet")
    expect(part(page, "History")).to_contain_text("Nothing has run yet")
    back_up(page)
    expect(heading(page)).to_contain_text("Protected: last backup just now, next ")
    kill_the_worker_in_the_middle(page, tarkeep)
    without_the_key(page, tarkeep)
    cut_the_way(page, way)
    page.close()


def kill_the_worker_in_the_middle(page: Page, tarkeep: Launched) -> None:
    """It is started again, the run is found to be lost, and made anew by itself."""
    (tarkeep.home / "data" / "large.bin").write_bytes(os.urandom(8_000_000))
    page.get_by_role("button", name="Back up now").click()
    expect(part(page, "Now").get_by_text("Packing and sending")).to_be_visible()
    expect(part(page, "Now").get_by_role("progressbar")).to_be_visible()
    for pid in [pid for pid, line in tarkeep.parts().items() if "-Q backup" in line]:
        os.kill(pid, signal.SIGKILL)
    two_minutes_later(tarkeep)
    expect(part(page, "Now")).to_contain_text("Backup done")
    lost = rows(page, "History").filter(has_text="Lost")
    expect(lost).to_have_count(1)
    expect(rows(page, "History").first).to_contain_text("try 2")
    expect(rows(page, "Backups")).to_have_count(2)


def two_minutes_later(tarkeep: Launched) -> None:
    """What the killed worker held is over, and what waits need wait no longer."""
    with closing(sqlite3.connect(tarkeep.home / "var" / "tarkeep.sqlite3", timeout=30)) as db, db:
        db.execute("UPDATE backups_app_job SET lease_until = '2025-01-01' WHERE state = 'RUNNING'")


def without_the_key(page: Page, tarkeep: Launched) -> None:
    """Settings are taken up as it runs: what another key has sealed cannot be looked into."""
    (tarkeep.home / ".env").write_text(f"BACKUP_ENCRYPTION_KEY=another {KEY}\n")
    shutil.rmtree(tarkeep.home / "temp", ignore_errors=True)  # no index is at hand any more
    look = unfold(page, "Backups").get_by_role("button", name="Files of the backup of")
    dialog = page.get_by_role("dialog")
    for _ in range(60):
        look.click()
        expect(dialog.locator(".message, table")).not_to_have_count(0)
        if dialog.get_by_text("The archive was encrypted with another key").count():
            break
        page.keyboard.press("Escape")
        page.wait_for_timeout(1000)
        shutil.rmtree(tarkeep.home / "temp", ignore_errors=True)
    expect(dialog).to_contain_text("BACKUP_ENCRYPTION_KEY_PREVIOUS")
    page.keyboard.press("Escape")


def cut_the_way(page: Page, way: TcpProxy) -> None:
    way.stop()
    page.reload()
    expect(part(page, "Backups")).to_contain_text("Failed to connect to S3")
    expect(heading(page)).to_have_text("Attention: the bucket cannot be read")
    page.get_by_role("button", name="Back up now").click()
    expect(part(page, "Now")).to_contain_text("The backup failed: Failed to connect to S3")
    expect(unfold(page, "History")).to_contain_text("STORAGE_UNREACHABLE")


def test_wrong_settings_are_all_shown_with_what_to_do(browser, launched):
    tarkeep = launched(BACKUP_COMPRESSION_LEVEL="10", BACKUP_SCHEDULE="0 2 * *")
    page = opened(browser, tarkeep)
    expect(heading(page)).to_contain_text("Not protected: BACKUP_")
    for name in ("BACKUP_COMPRESSION_LEVEL", "BACKUP_SCHEDULE"):
        expect(page.get_by_role("listitem").filter(has_text=name).first).to_be_visible()
    expect(page.get_by_role("button", name="Back up now")).to_have_count(0)
    page.close()
