"""Row 83: no secret shows up anywhere. The whole service runs with secrets that are easy to find,
does its work, fails now and then, and afterwards everything it said or wrote is searched.
"""

import os
import re
import secrets
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.sync.client import connect

from tests.launcher.launched import Launched, copy_tree
from tests.support.receiver import receiver
from worker.engine.settings import VARIABLES

NOWHERE = "backups/whatsapp-data-backup-2025-08-29T05-00-00-000Z.tar.gz"
OF_SERVERS = {
    "BACKUP_S3_ACCESS_KEY",
    "BACKUP_S3_SECRET_KEY",
    "REDIS_URL",
}  # kept for the next start
PAGES = (
    "",
    "settings/",
    "backups_app/job/",
    "backups_app/apitoken/",
    "backups_app/auditentry/",
    "auth/user/",
)
READS = (
    "status", "list", "jobs", "me", "tokens", "audit", "retention", "settings", "doctor",
    "search?q=hello", "files?backupKey=latest", "files?backupKey=x", "nothing",
)  # fmt: skip


def canary(name):
    return f"canary-{name}-{secrets.token_hex(16)}"


class Searched:
    """Texts that must hold no secret."""

    def __init__(self, **known):
        self.known = known

    def search(self, place, text):
        found = [name for name, secret in self.known.items() if secret in text]
        assert not found, f"{place} tells {found}"

    def answer(self, answer):
        self.search(f"the answer of {answer.request.url.path}", f"{answer.headers}\n{answer.text}")
        return answer


@pytest.fixture
def outside():
    """Where notices and heartbeats go; the first one waits there until it is let go on."""
    with receiver() as there:
        there.gate.clear()
        yield there
        there.gate.set()


@pytest.fixture
def service(tmp_path, outside):
    given = {
        "BACKUP_ENCRYPTION_KEY": canary("encryption"),
        "BACKUP_ENCRYPTION_KEY_PREVIOUS": canary("previous"),
        "BACKUP_API_TOKEN": canary("api"),
        "BACKUP_METRICS_TOKEN": canary("metrics"),
        "TARKEEP_SECRET_KEY": canary("sessions"),
        "BACKUP_INSTANCE_SUPERVISOR_PASSWORD": canary("supervisor"),
        "BACKUP_INSTANCE_HTTP_TOKEN": canary("instances"),
        "BACKUP_NOTIFY_URLS": canary("notify"),
        "BACKUP_HEARTBEAT_URL": canary("heartbeat"),
    }
    addresses = {
        "BACKUP_NOTIFY_URLS": f"json://{outside.address}/{given['BACKUP_NOTIFY_URLS']}",
        "BACKUP_HEARTBEAT_URL": f"http://{outside.address}/{given['BACKUP_HEARTBEAT_URL']}",
        "BACKUP_NOTIFY_ALLOW_PRIVATE": "true",
        "BACKUP_NOTIFY_EVENTS": "success,failure",
    }
    launched = Launched(copy_tree(tmp_path / "tarkeep"), **given | addresses).started()
    launched.given = given | made_by_the_launcher(launched)
    yield launched
    launched.stop()


def made_by_the_launcher(service):
    """The keys and passwords of the servers that it starts."""
    environ = Path(f"/proc/{service.part('uvicorn')}/environ").read_text().split("\0")
    known = dict(line.split("=", 1) for line in environ if "=" in line)
    made = {name: known[name] for name in ("BACKUP_S3_ACCESS_KEY", "BACKUP_S3_SECRET_KEY")}
    return {**made, "REDIS_URL": urlsplit(known["REDIS_URL"]).password}


def sign_in(browser, name, password):
    token = browser.get("/login/").cookies["csrftoken"]
    form = {"username": name, "password": password, "csrfmiddlewaretoken": token}
    return browser.post("/login/", data=form)


def work(service, client, searched):
    """A backup, a verification, and much that goes wrong."""
    ask = searched.answer
    assert ask(client.post("trigger?wait=120", json={})).status_code == 200
    key = client.get("list").json()["backups"][0]["key"]
    assert ask(client.post("verify?wait=120", json={"backupKey": key})).status_code == 200
    assert ask(client.post("restore", json={"backupKey": NOWHERE})).status_code == 404
    assert ask(client.post("trigger", content=b"{")).status_code in {202, 400, 409}
    assert ask(client.get("status", headers={"Authorization": "Bearer x"})).status_code == 401
    for path in READS:
        ask(client.get(path))


def watch_a_send(service, outside, searched):
    """A message is on its way just now: the process that sends it is among those looked at."""
    wait_for(lambda: outside.requests)
    lines = list(service.parts().values())
    assert any("notify.send" in line for line in lines)
    for line in lines:
        searched.search("a command line", line)
    outside.gate.set()


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def break_it(service, client, searched):
    """A fault of the program, of which the log has the traceback."""
    with closing(sqlite3.connect(service.home / "var" / "tarkeep.sqlite3", timeout=30)) as database:
        database.execute("ALTER TABLE backups_app_apitoken RENAME TO away")
        try:
            for headers in ({}, {"Authorization": f"Bearer {searched.known['token']}"}):
                answer = searched.answer(client.get("tokens", headers=headers))
                assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL_ERROR")
        finally:
            database.execute("ALTER TABLE away RENAME TO backups_app_apitoken")
    assert "Traceback" in (service.home / "logs" / "app.log").read_text()


def hear(service, token, searched):
    headers = {"Authorization": f"Bearer {token}"}
    with connect(f"ws://127.0.0.1:{service.port}/ws/backup/", additional_headers=headers) as socket:
        searched.search("the WebSocket", socket.recv(timeout=20))


def look(service, searched):
    """Through every page, as the administrator, who mistypes first, and makes a token there."""
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=60) as browser:
        password = service.password()
        sign_in(browser, password, "wrong")
        assert sign_in(browser, "admin", password).status_code == 302
        make_in_the_admin(browser, searched)
        searched.answer(browser.get("/"))
        for page in PAGES:
            assert searched.answer(browser.get(f"/admin/{page}")).status_code == 200, page


def make_in_the_admin(browser, searched):
    """Its text is on the page that answers, and from then on searched for."""
    add = "/admin/backups_app/apitoken/add/"
    given = browser.get(add).cookies.get("csrftoken") or browser.cookies["csrftoken"]
    form = {"name": "x", "role": "viewer", "days": "1", "csrfmiddlewaretoken": given}
    page = searched.answer(browser.post(add, data=form))
    text = re.search(r"tk_[0-9a-f]{8}_[\w-]{43}", page.text).group()
    searched.known["admin's token"] = text
    assert text not in str(browser.cookies)


def files_with(home, searched):
    """What lies on the disk, but for the data and the program itself."""
    for folder, _, names in os.walk(home):
        for name in names:
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as file:
                    text = file.read().decode("latin-1")
                found = {n for n, secret in searched.known.items() if secret in text}
                if found:
                    yield path, found


@pytest.mark.invariant("I8")
def test_row_83_secrets_are_nowhere_but_where_they_belong(service, outside):
    every = {variable.name for variable in VARIABLES if variable.secret}
    assert every - {"DATABASE_URL"} == set(service.given)  # SQLite has no password
    headers = {"Authorization": f"Bearer {service.given['BACKUP_API_TOKEN']}"}
    api = httpx.Client(
        base_url=f"http://127.0.0.1:{service.port}/api/backup/", headers=headers, timeout=150
    )
    with api as client:
        made = client.post("tokens", json={"name": "canary", "role": "admin"}).json()["token"]
        searched = Searched(token=made, password=service.password(), **service.given)
        work(service, client, searched)
        watch_a_send(service, outside, searched)
        hear(service, made, searched)
        break_it(service, client, searched)
    look(service, searched)
    service.stop()
    told = dict(files_with(service.home, searched))
    # The first password is shown once, on the screen of who started it.
    assert told.pop(str(service.screen), {"password"}) == {"password"}
    for path, names in told.items():
        assert names <= {"password"} | OF_SERVERS, (path, names)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
    assert len(outside.requests) >= 3
