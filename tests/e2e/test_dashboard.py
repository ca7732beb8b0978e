"""The dashboard as a person uses it: the real stack, a real browser.

The tests of one file share one service and run in this order; each leaves the service idle.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from tests.e2e.conftest import LIMIT
from tests.launcher.launched import Launched, copy_tree

SOCKET = "**/ws/backup/"
expect.set_options(timeout=LIMIT)


def part(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=title, exact=True)


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def back_up(page: Page) -> None:
    page.get_by_role("button", name="Back up now").click()
    expect(part(page, "Now")).to_contain_text("Backup done")


def one_backup(tarkeep: Launched) -> None:
    """At least one backup, made over the API."""
    with tarkeep.api() as api:
        if not api.get("/api/backup/list").json()["backups"]:
            assert api.post("/api/backup/trigger", params={"wait": 60}).status_code == 200


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


def test_signing_in_shows_that_nothing_is_protected_yet_and_what_to_press(page, tarkeep):
    page.goto("/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("correct username and password")
    page.get_by_label("Password").fill(tarkeep.password())
    page.get_by_role("button", name="Sign in").click()
    expect(heading(page)).to_have_text("Not protected: there is no backup yet")
    expect(page).to_have_title("Not protected · Tarkeep")
    expect(part(page, "Backups")).to_contain_text("No backups yet")
    expect(part(page, "History")).to_contain_text("Nothing has run yet")
    expect(page.get_by_role("button", name="Back up now")).to_be_enabled()


def test_a_backup_is_followed_live_to_its_end_and_then_listed(page, signed_in):
    heard: list[dict[str, Any]] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda f: heard.append(json.loads(f))),
    )
    signed_in()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    back_up(page)
    states = {message["job"]["state"] for message in heard if message["type"] == "job"}
    assert {"RUNNING", "SUCCEEDED"} <= states
    expect(heading(page)).to_have_text("Attention: backups lie on this same machine")
    expect(page.get_by_role("listitem").filter(has_text="The schedule is off")).to_contain_text(
        "BACKUP_ENABLED=true"
    )
    expect(part(page, "Backups").get_by_role("button", name="Restore the backup of")).to_have_count(
        1
    )
    row = part(page, "History").get_by_role("row").nth(1)
    expect(row).to_contain_text("Backup")
    expect(row).to_contain_text("Done")
    expect(row).to_contain_text("admin")


def test_a_restore_happens_only_after_its_word_was_typed(tarkeep, signed_in):
    one_backup(tarkeep)
    added = tarkeep.home / "data" / "added-later"
    added.write_text("not in the backup")
    page = signed_in()
    page.get_by_role("button", name="Restore the backup of").first.click()
    dialog = page.get_by_role("dialog", name="Restore this backup?")
    expect(dialog).to_contain_text(f"the whole folder {tarkeep.home}/data is replaced")
    confirm = dialog.get_by_role("button", name="Restore", exact=True)
    expect(confirm).to_be_disabled()
    dialog.get_by_role("textbox").fill("restor")
    expect(confirm).to_be_disabled()
    dialog.get_by_role("textbox").fill("restore")
    confirm.click()
    expect(part(page, "Now")).to_contain_text("Restore done")
    expect(part(page, "Now")).to_contain_text(f"{tarkeep.home}/data.before-restore-")
    assert not added.exists()


def test_escape_leaves_everything_as_it_is_and_a_second_dialog_starts_afresh(tarkeep, signed_in):
    one_backup(tarkeep)
    page = signed_in()
    restore = page.get_by_role("button", name="Restore the backup of").first
    restore.click()
    page.get_by_role("dialog").get_by_role("textbox").fill("restore")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(restore).to_be_focused()
    restore.click()
    expect(page.get_by_role("dialog").get_by_role("textbox")).to_have_value("")
    expect(part(page, "Now")).to_contain_text("Nothing is running")


def test_the_keyboard_alone_is_enough_to_verify_a_backup(tarkeep, signed_in):
    one_backup(tarkeep)
    page = signed_in()
    verify = page.get_by_role("button", name="Verify the backup of").first
    expect(verify).to_be_enabled()
    for _ in range(30):
        page.keyboard.press("Tab")
        if verify.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Now")).to_be_focused()
    expect(part(page, "Now")).to_contain_text("Backup verified")
    expect(page.get_by_role("status").filter(has_text="Backup verified")).to_have_count(1)


def test_a_waiting_job_says_so_and_can_be_cancelled(tarkeep, signed_in):
    page = signed_in()
    with no_worker(tarkeep):
        page.get_by_role("button", name="Back up now").click()
        expect(part(page, "Now")).to_contain_text("Waiting for a worker")
        expect(page.get_by_role("button", name="Back up now")).to_have_count(0)
        expect(part(page, "Backups").get_by_role("button", name="Restore").first).to_be_disabled()
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("button", name="Cancel the backup").click()
        expect(part(page, "Now")).to_contain_text("Backup was cancelled")
    expect(part(page, "History").get_by_role("row").nth(1)).to_contain_text("Cancelled")


def test_a_backup_that_another_person_starts_appears_by_itself(tarkeep, signed_in):
    page = signed_in()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    with no_worker(tarkeep), tarkeep.api() as api:
        assert api.post("/api/backup/trigger").status_code == 202
        expect(part(page, "Now")).to_contain_text("started over the API")
    expect(part(page, "Now")).to_contain_text("Backup done")


def test_a_page_that_lost_its_live_updates_says_so_and_asks_instead(page, tarkeep, signed_in):
    page.route_web_socket(SOCKET, lambda socket: socket.close())
    signed_in()
    expect(page.get_by_text("Live updates lost")).to_be_visible()
    back_up(page)


def test_live_updates_come_back_by_themselves(page, signed_in):
    opened: list[WebSocketRoute] = []

    def second_time(socket: WebSocketRoute) -> None:
        opened.append(socket)
        if len(opened) == 1:
            socket.close()
        else:
            socket.connect_to_server()

    page.route_web_socket(SOCKET, second_time)
    signed_in()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert len(opened) == 2


def test_an_older_revision_that_comes_late_changes_nothing(page, signed_in):
    told: list[str] = []
    sockets: list[WebSocketRoute] = []

    def remember(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        server = socket.connect_to_server()
        server.on_message(lambda text: (told.append(str(text)), socket.send(text)))

    page.route_web_socket(SOCKET, remember)
    signed_in()
    back_up(page)
    page.wait_for_load_state("networkidle")
    first = next(text for text in told if json.loads(text).get("job", {}).get("state"))
    assert json.loads(first)["job"]["state"] in {"PENDING", "RUNNING"}  # as fast as it was caught
    sockets[0].send(first)
    page.wait_for_timeout(500)  # were it believed, it would be on the screen by now
    assert "Backup done" in part(page, "Now").inner_text()
    assert page.get_by_role("button", name="Back up now").is_enabled()


def test_markup_in_what_the_service_tells_stays_text(page, tarkeep, signed_in):
    one_backup(tarkeep)
    hostile = "<img src=x onerror='document.title=1'>"

    def name_the_requester(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def tell(text: str | bytes) -> None:
            message = json.loads(text)
            for job in message.get("jobs", []):
                job |= {"requestedBy": hostile, "revision": job["revision"] + 1}
            socket.send(json.dumps(message))

        server.on_message(tell)

    page.route_web_socket(SOCKET, name_the_requester)
    signed_in()
    expect(part(page, "History")).to_contain_text(hostile)
    expect(page.locator("img")).to_have_count(0)


def test_who_is_signed_out_meanwhile_is_told_and_sees_nothing_more(page, context, signed_in):
    signed_in()
    expect(heading(page)).to_contain_text("backup")
    context.clear_cookies()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(heading(page)).to_have_text("You are signed out")
    expect(part(page, "Backups")).to_be_hidden()
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_label("Password")).to_be_visible()


def test_times_are_local_and_exact_in_utc_on_a_closer_look(page, tarkeep, signed_in):
    one_backup(tarkeep)
    signed_in()
    time = part(page, "Backups").locator("time").first
    shown = time.evaluate(
        """time => {
            const date = new Date(time.dateTime);
            const local = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
            return [time.title, time.textContent, date.toISOString(), local];
        }"""
    )
    title, text, exact, local = shown
    assert title == exact[:19].replace("T", " ") + " UTC"
    assert text.endswith(local)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_needs_sideways_scrolling(page, tarkeep, signed_in, width, scheme):
    one_backup(tarkeep)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    signed_in()
    expect(part(page, "Backups").get_by_role("button", name="Restore").first).to_be_visible()
    for details in page.locator("summary").all():
        details.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Restore the backup of").first.click()
    expect(page.get_by_role("dialog")).to_be_in_viewport(ratio=1)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(15, 19, 25)") == (scheme == "dark")


NOW = "2025-08-29T15:00:00Z"  # noon in São Paulo
STATUS: dict[str, Any] = {
    "enabled": True,
    "schedule": "0 2 * * *",
    "nextRun": "2025-08-30T05:00:00Z",
    "lastSuccess": "2025-08-29T12:00:00Z",
    "lastBackup": None,
    "problems": [],
    "workersAlive": 1,
    "storageLocal": False,
    "inProgress": False,
}
FAILED = {
    "state": "FAILED",
    "createdAt": "2025-08-29T13:00:00Z",
    "error": {"code": "X", "message": "Failed to connect to S3", "hint": "Try later."},
}
PROBLEM = {"variable": "V", "message": "V is wrong", "hint": "Mend it."}


@pytest.mark.parametrize(
    ("facts", "title"),
    [
        ({}, "Protected: last backup 3 hours ago, next tonight at 02:00"),
        (
            {"nextRun": "2025-08-31T05:00:00Z"},
            "Protected: last backup 3 hours ago, next Sunday at 02:00",
        ),
        ({"enabled": False}, "Attention: the schedule is off"),
        ({"workersAlive": 0}, "Attention: no worker is running"),
        ({"lastBackup": FAILED}, "Attention: the last try failed: Failed to connect to S3"),
        (
            {"lastBackup": FAILED | {"createdAt": "2025-08-29T11:00:00Z"}},
            "Protected: last backup 3 hours ago, next tonight at 02:00",
        ),
        ({"problems": [PROBLEM]}, "Attention: V is wrong"),
        ({"problems": [PROBLEM], "lastSuccess": None}, "Not protected: V is wrong"),
        ({"lastSuccess": "2025-08-27T15:00:00Z"}, "Attention: the last backup was made 2 days ago"),
        (
            {"lastSuccess": "2025-08-24T15:00:00Z"},
            "Not protected: the last backup was made 5 days ago",
        ),
        (
            {"lastSuccess": "2025-08-24T15:00:00Z", "schedule": "0 2 * * 1"},
            "Protected: last backup 5 days ago, next tonight at 02:00",
        ),
        ({"lastSuccess": None}, "Not protected: there is no backup yet"),
        (
            {"lastSuccess": None, "inProgress": True},
            "Not protected: the first backup is still being made",
        ),
    ],
)
def test_the_verdict_follows_from_the_facts(page, facts, title):
    page.goto("/login/")
    judged = page.evaluate(
        """async ([status, now]) => {
            const { judge } = await import('/static/backups_app/js/verdict.js');
            return judge({ status, backups: null, backupsError: null, now: Date.parse(now) });
        }""",
        [STATUS | facts, NOW],
    )
    assert judged["title"] == title
    assert all(reason["hint"] for reason in judged["reasons"])


@pytest.fixture
def misconfigured(tmp_path) -> Iterator[Callable[..., Launched]]:
    """Starts a service of its own with the settings given."""
    begun: list[Launched] = []

    def start(**settings: str) -> Launched:
        begun.append(Launched(copy_tree(tmp_path / "wrong"), **settings).started())
        return begun[-1]

    yield start
    for launched in begun:
        launched.stop()


def sign_in_at(browser: Browser, launched: Launched) -> Page:
    page = browser.new_page(base_url=f"http://127.0.0.1:{launched.port}")
    page.goto("/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(launched.password() or "")
    page.get_by_role("button", name="Sign in").click()
    return page


def test_wrong_settings_are_all_shown_with_what_to_do(browser, misconfigured):
    launched = misconfigured(BACKUP_COMPRESSION_LEVEL="10", BACKUP_SCHEDULE="0 2 * *")
    page = sign_in_at(browser, launched)
    expect(heading(page)).to_contain_text("Not protected: BACKUP_")
    for name in ("BACKUP_COMPRESSION_LEVEL", "BACKUP_SCHEDULE"):
        expect(page.get_by_role("listitem").filter(has_text=name)).to_be_visible()
    expect(page.get_by_role("button", name="Back up now")).to_have_count(0)
    page.close()


def test_unreachable_storage_is_named_and_the_failed_backup_explained(browser, misconfigured):
    launched = misconfigured(
        BACKUP_S3_BUCKET="far-away",
        BACKUP_S3_ENDPOINT="http://127.0.0.1:9",
        BACKUP_S3_ACCESS_KEY="key",
        BACKUP_S3_SECRET_KEY="secret",
    )
    page = sign_in_at(browser, launched)
    expect(part(page, "Backups")).to_contain_text("Failed to connect to S3")
    page.get_by_role("button", name="Back up now").click()
    expect(part(page, "Now")).to_contain_text("Backup failed: Failed to connect to S3")
    expect(part(page, "History").get_by_role("row").nth(1)).to_contain_text(
        "Failed to connect to S3"
    )
    page.close()
