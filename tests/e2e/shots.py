"""`make shots`: pictures of the dashboard in each of its states, into docs/img/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import boto3
from playwright.sync_api import Browser, Page, expect, sync_playwright

from launcher.seaweed import start_seaweed
from tests.e2e.conftest import FLAGS, chromium
from tests.e2e.steps import back_up, done, heading, part, rows, sign_in, unfold
from tests.launcher.launched import ROOT, Launched, clean_environment, copy_tree

TARGET = ROOT / "docs" / "img"
WIDE, PHONE = {"width": 960, "height": 700}, {"width": 360, "height": 740}
# A backup a day for some months, two of them missed: as a user's history has it.
MONTHS = """
from datetime import timedelta
from django.utils import timezone
from backups_app.models import Job
from backups_app.states import State
now = timezone.now()
Job._meta.get_field("created_at").auto_now_add = False
def made(n):
    at = now - timedelta(days=n + 1)
    size = (40 - n // 10) * 1_000_000 + n * 77_777 % 900_000
    return Job(kind="backup", trigger="schedule", state=State.SUCCEEDED, created_at=at,
               started_at=at, finished_at=at + timedelta(seconds=10 + n * 7 % 5),
               result={"size": size, "bytesSent": size // 20 + n * 99_991 % 500_000})
missed = now - timedelta(days=31)
told = {"missed": 2, "first": missed.isoformat(), "last": (now - timedelta(days=30)).isoformat()}
lapse = Job(kind="backup", trigger="schedule", state=State.FAILED, created_at=missed,
            finished_at=missed, error_code="SLOT_MISSED", error_message="2 backups were missed",
            result=told)
Job.objects.bulk_create([lapse, *[made(n) for n in range(120) if n not in (29, 30)]])
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = start_seaweed(Path(folder) / "s3")
        home = Path(tempfile.gettempdir()) / "tarkeep"  # is in the pictures
        tarkeep = Launched(copy_tree(home), **settings(server))
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            story(browser, tarkeep.started())
        finally:
            browser.close()
            tarkeep.stop()
            server.stop()
            shutil.rmtree(home)


def settings(server: Any) -> dict[str, str]:
    keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}
    boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1", **keys).create_bucket(
        Bucket="chats-elsewhere"
    )
    return {
        "BACKUP_S3_BUCKET": "chats-elsewhere",
        "BACKUP_S3_ENDPOINT": server.endpoint,
        "BACKUP_S3_ACCESS_KEY": server.access_key,
        "BACKUP_S3_SECRET_KEY": server.secret_key,
        "BACKUP_ENCRYPTION_KEY": "correct horse battery staple, and then some",
        "BACKUP_ENABLED": "true",
        "BACKUP_UPLOAD_LIMIT": "4M",
    }


def story(browser: Browser, tarkeep: Launched) -> None:
    page = opened(browser, tarkeep, WIDE)
    expect(heading(page)).to_contain_text("Not protected")
    shoot(page, "not-protected")
    back_up(page)
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", MONTHS],
        cwd=tarkeep.home, env=clean_environment(), check=True,
    )  # fmt: skip
    running(page, tarkeep)
    key = done(tarkeep, "trigger")["backupKey"]
    done(tarkeep, "drill", {"backupKey": key})
    page.reload()
    expect(heading(page)).to_contain_text("Protected: last backup")
    expect(page.locator(".days")).to_be_visible()
    shoot(page, "protected")
    page.emulate_media(color_scheme="dark")
    shoot(page, "protected-dark")
    page.emulate_media(color_scheme="light")
    for take in (backups, restoring, looking, history, setup, kit):
        take(page)
    phone(browser, tarkeep)
    portuguese(browser, tarkeep)


def opened(browser: Browser, tarkeep: Launched, size: Any, locale: str = "en-GB") -> Page:
    address = f"http://127.0.0.1:{tarkeep.port}"
    context = browser.new_context(
        base_url=address, viewport=size, locale=locale, timezone_id="America/Sao_Paulo"
    )
    page = sign_in(context.new_page(), tarkeep)
    page.wait_for_load_state("networkidle")
    return page


def shoot(page: Page, name: str, section: str = "") -> None:
    """What is on the screen, from that section on."""
    if section:
        part(page, section).evaluate("part => part.scrollIntoView({ block: 'start' })")
    page.mouse.move(0, 0)
    TARGET.mkdir(exist_ok=True)
    page.screenshot(path=TARGET / f"{name}.png", animations="disabled")


def running(page: Page, tarkeep: Launched) -> None:
    (tarkeep.home / "data" / "media" / "film.bin").write_bytes(os.urandom(40_000_000))
    page.get_by_role("button", name="Back up now").click()
    expect(part(page, "Now").get_by_text("Time left")).to_be_visible()
    expect(part(page, "Now").locator(".percent")).to_contain_text("1")
    shoot(page, "running")
    expect(part(page, "Now")).to_contain_text("Backup done")


def backups(page: Page) -> None:
    expect(unfold(page, "Backups")).to_contain_text("It is one of the 3 newest")
    shoot(page, "backups", "Backups")


def restoring(page: Page) -> None:
    rows(page, "Backups").first.get_by_role("button", name="Restore the backup of").click()
    expect(page.locator(".numbers-told")).to_be_visible()
    shoot(page, "restore")
    page.keyboard.press("Escape")


def looking(page: Page) -> None:
    rows(page, "Backups").first.get_by_role("button", name="Files of").click()
    expect(page.get_by_role("dialog").get_by_role("row").nth(2)).to_be_visible()
    shoot(page, "files")
    page.keyboard.press("Escape")


def history(page: Page) -> None:
    page.get_by_role("button", name="Curves").click()
    expect(page.locator(".uplot")).to_have_count(3)
    shoot(page, "history", "History")


def setup(page: Page) -> None:
    part(page, "Setup").get_by_role("button", name="Check now").click()
    expect(part(page, "Setup")).to_contain_text("Checked just now")
    shoot(page, "setup", "Setup")


def kit(page: Page) -> None:
    page.goto("/recovery-kit/")
    shoot(page, "recovery-kit")


def phone(browser: Browser, tarkeep: Launched) -> None:
    page = opened(browser, tarkeep, PHONE)
    expect(rows(page, "Backups").first).to_be_visible()
    shoot(page, "phone")


def portuguese(browser: Browser, tarkeep: Launched) -> None:
    page = opened(browser, tarkeep, WIDE, "pt-BR")
    expect(page.locator(".days")).to_be_visible()
    shoot(page, "portuguese")


if __name__ == "__main__":
    main()
