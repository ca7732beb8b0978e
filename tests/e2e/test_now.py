"""What runs, told as it happens: the real stack, a real browser."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.e2e.steps import (
    SOCKET,
    back_up,
    heading,
    made_backup,
    no_worker,
    part,
    rows,
)

pytestmark = pytest.mark.xdist_group("dashboard")


def test_a_backup_is_followed_live_to_its_end_and_then_listed(page, signed_in):
    heard = []
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
    expect(page.locator(".reasons")).to_contain_text("BACKUP_S3_BUCKET")
    expect(rows(page, "Backups").first).to_contain_text("just now")
    first = rows(page, "History").first
    expect(first).to_contain_text("Backup")
    expect(first).to_contain_text("Done")


def test_how_a_job_ended_says_when_and_can_be_closed(page, signed_in):
    signed_in()
    back_up(page)
    now = part(page, "Now")
    expect(now).to_contain_text("Ended just now.")
    now.get_by_role("button", name="Close").click()
    expect(now).to_contain_text("Nothing is running")


def test_a_waiting_job_says_so_and_can_be_cancelled(page, tarkeep, signed_in):
    made_backup(tarkeep)
    signed_in()
    with no_worker(tarkeep):
        page.get_by_role("button", name="Back up now").click()
        expect(part(page, "Now")).to_contain_text("Waiting for a worker")
        expect(page.get_by_role("button", name="Back up now")).to_have_count(0)
        expect(rows(page, "Backups").first.get_by_role("button", name="Restore")).to_be_disabled()
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("button", name="Cancel the backup").click()
        expect(part(page, "Now")).to_contain_text("The backup was cancelled")
    expect(rows(page, "History").first).to_contain_text("Cancelled")


def test_a_backup_that_another_person_starts_appears_by_itself(page, tarkeep, signed_in):
    signed_in()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    with no_worker(tarkeep), tarkeep.api() as api:
        assert api.post("/api/backup/trigger").status_code == 202
        expect(part(page, "Now")).to_contain_text("started over the API")
    expect(part(page, "Now")).to_contain_text("Backup done")


def test_a_page_that_lost_its_live_updates_says_so_and_asks_instead(page, signed_in):
    page.route_web_socket(SOCKET, lambda socket: socket.close())
    signed_in()
    expect(page.get_by_text("Live updates lost")).to_be_visible()
    back_up(page)
    expect(page.get_by_role("button", name="Back up now")).to_be_visible()


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
    jobs = [text for text in told if json.loads(text).get("job")]
    active = next(
        text for text in jobs if json.loads(text)["job"]["state"] in {"PENDING", "RUNNING"}
    )
    sockets[0].send(active)
    page.wait_for_timeout(500)  # were it believed, it would be on the screen by now
    assert "Backup done" in part(page, "Now").inner_text()
    assert page.get_by_role("button", name="Back up now").is_enabled()


def test_markup_in_what_the_service_tells_stays_text(page, tarkeep, signed_in):
    made_backup(tarkeep)
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
    first = rows(page, "History").first
    first.locator(".fold").click()
    expect(first).to_contain_text(hostile)
    expect(page.locator("img")).to_have_count(0)
