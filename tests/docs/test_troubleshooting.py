"""Each symptom that docs/troubleshooting.md names by its message is brought about, and says so."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.engine.test_cli import Shell, shell
from tests.support.pages import page
from tests.support.places import PRIVATE, needs_mounts

__all__ = ["shell"]
PAGE = page("troubleshooting.md")
ENCRYPTED = {"BACKUP_ENCRYPTION_KEY": "k" * 40}


@pytest.fixture
def refusing():
    """An S3 server that answers each request with the same error."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = f"<Error><Code>{self.server.code}</Code><Message>no</Message></Error>".encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    yield server
    server.shutdown()
    server.server_close()


def refused(shell, refusing, code):
    refusing.code = code
    return shell.run("list", BACKUP_S3_ENDPOINT=f"http://127.0.0.1:{refusing.server_port}")


def opened_with(shell, **key):
    shell.run("backup", **ENCRYPTED)
    return shell.run("verify", "latest", **key)


SYMPTOMS = {
    "BACKUP_S3_BUCKET is not configured": lambda shell, _: shell.run("list", BACKUP_S3_BUCKET=""),
    "Failed to connect to S3": lambda shell, _: shell.run(
        "list", BACKUP_S3_ENDPOINT="http://127.0.0.1:1"
    ),
    "S3 refuses the credentials": lambda shell, _: shell.run("list", BACKUP_S3_SECRET_KEY="wrong"),
    "S3 denies access to the bucket": lambda shell, s3: refused(shell, s3, "AccessDenied"),
    "S3 refuses requests because this machine's clock is wrong": lambda shell, s3: refused(
        shell, s3, "RequestTimeTooSkewed"
    ),
    "BACKUP_ENCRYPTION_KEY must have at least 32 characters": lambda shell, _: shell.run(
        "list", BACKUP_ENCRYPTION_KEY="short"
    ),
    "The archive was encrypted with another key.": lambda shell, _: opened_with(
        shell, BACKUP_ENCRYPTION_KEY="another key of more than thirty-two characters"
    ),
    "The archive is encrypted and no key is set.": lambda shell, _: opened_with(shell),
}


@pytest.mark.parametrize("message", SYMPTOMS)
def test_the_symptom_shows_its_message(shell: Shell, refusing, message):
    told = SYMPTOMS[message](shell, refusing)
    assert told.returncode
    assert message in " ".join(told.stderr.split())


@needs_mounts
def test_compression_fails_for_lack_of_space(shell: Shell):
    (documented,) = re.findall(r"`(The temporary folder) … ([^`]+)`", PAGE)
    for number in range(3000):
        (shell.folder / "data" / f"{number:0200}").write_text("")
    temp = shell.folder / "temp"
    temp.mkdir()
    mount = f"mount -t tmpfs -o size=128k none {temp}"
    told = shell.run("backup", before=[*PRIVATE, "sh", "-c", f'{mount} && exec "$@"', "sh"])
    assert told.returncode == 7
    said = " ".join(told.stderr.split())
    assert all(part in said for part in documented), said


def test_every_message_of_the_page_is_among_them():
    named = re.findall(r"^- \*\*`([^`]+ [^`]+)`\*\*", PAGE, re.MULTILINE)
    named += re.findall(r"^- \*\*Encryption key too short\*\*: `([^`]+)`", PAGE, re.MULTILINE)
    assert set(named) == set(SYMPTOMS)


def test_every_code_of_the_page_is_brought_about_by_some_test():
    """Where it takes more than a command: the tests of the part that it comes from."""
    here = Path(__file__).parent
    texts = [path.read_text() for path in here.parent.rglob("test_*.py") if path.parent != here]
    codes = set(re.findall(r"(?:Code|Alert|code|warning) `([A-Z_]+)`", PAGE))
    assert len(codes) > 20
    assert {code for code in codes if not any(f'"{code}"' in text for text in texts)} == set()
