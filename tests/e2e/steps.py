"""What people do on the dashboard, again and again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.launcher.launched import Launched
from tests.support.s3client import s3_client
from worker.engine.config import StorageConfig

LIMIT = int(os.environ.get("E2E_LIMIT", "60000"))  # ms
SOCKET = "**/ws/backup/"
expect.set_options(timeout=LIMIT)


def sign_in(page: Page, tarkeep: Launched, name: str = "admin", password: str = "") -> Page:
    page.goto("/")
    page.locator("[name=username]").fill(name)
    page.locator("[name=password]").fill(password or tarkeep.password() or "")
    page.locator("main [type=submit]").click()
    page.get_by_role("heading", level=1).wait_for()
    return page


def part(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def rows(page: Page, title: str) -> Locator:
    """The lines of "Backups" or "History", the newest first."""
    return part(page, title).locator(".row")


def unfold(page: Page, title: str, number: int = 0) -> Locator:
    """That line with all that belongs to it."""
    row = rows(page, title).nth(number)
    button = row.locator(".fold")
    button.wait_for()
    if button.get_attribute("aria-expanded") == "false":
        button.click()
    return row


def back_up(page: Page) -> None:
    page.get_by_role("button", name="Back up now").click()
    expect(part(page, "Now")).to_contain_text("Backup done")


def made_backup(tarkeep: Launched) -> str:
    """The key of a backup that was made just now, over the API."""
    return str(done(tarkeep, "trigger")["backupKey"])


def done(tarkeep: Launched, what: str, body: object = None) -> dict[str, Any]:
    with tarkeep.api() as api:
        answer = api.post(f"/api/backup/{what}", params={"wait": 60}, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def confirm(dialog: Locator, button: str) -> None:
    """Types what is asked for, and presses the button of that name."""
    dialog.get_by_role("textbox").fill(dialog.locator(".typed strong").inner_text())
    dialog.get_by_role("button", name=button, exact=True).click()


def spoil(tarkeep: Launched, key: str) -> None:
    """One byte in the middle of the archive is another one, as a failing disk makes it."""
    bucket = bucket_of(tarkeep)
    client = s3_client(bucket)
    content = bytearray(client.get_object(Bucket=bucket.bucket, Key=key)["Body"].read())
    content[len(content) // 2] ^= 0xFF
    client.put_object(Bucket=bucket.bucket, Key=key, Body=bytes(content))


def bucket_of(tarkeep: Launched) -> StorageConfig:
    lines = (tarkeep.home / "var" / "bucket.env").read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return StorageConfig(
        bucket=env["BACKUP_S3_BUCKET"],
        access_key=env["BACKUP_S3_ACCESS_KEY"],
        secret_key=env["BACKUP_S3_SECRET_KEY"],
        endpoint=env["BACKUP_S3_ENDPOINT"],
    )


@contextmanager
def no_worker(tarkeep: Launched) -> Iterator[None]:
    """Jobs wait meanwhile."""
    workers = [pid for pid, line in tarkeep.parts().items() if "-Q backup" in line]
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
