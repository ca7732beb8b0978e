"""The main job as a user does it, with the README's steps: from `make run` to `diff -r`.

Real content (databases being written, 5,000 small files, a 1 GiB file), a real bucket, the API
with a token, the WebSocket, `aws s3 cp`, GNU tar; plain and encrypted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tarkeep_client import Job
from tests.launcher.launched import ROOT, TOKEN, Launched, copy_tree

PASSPHRASE = "correct horse battery staple, and then some"
GIB = 1024**3
LIMIT = 240

WRITER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE IF NOT EXISTS messages (n INTEGER PRIMARY KEY, t TEXT)")
for n in range(1, 10**9):
    db.execute("INSERT INTO messages VALUES (?, ?)", (n, "x" * (n % 900)))
    time.sleep(0.001)
"""


@pytest.fixture(params=["plain", "encrypted"])
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Launched]:
    settings = {"BACKUP_ENCRYPTION_KEY": PASSPHRASE} if request.param == "encrypted" else {}
    launched = Launched(copy_tree(tmp_path / "tarkeep"), **settings)
    yield launched.started()
    assert launched.stop() == 0


def fill(data: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    for number in range(5000):
        folder = data / f"instance-{number % 5}" / "keys"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"key-{number}.json").write_text(json.dumps({"key": number, "v": "k" * 90}))
    half = os.urandom(GIB // 16)
    with (data / "media.bin").open("wb") as media:
        for _ in range(16):
            media.write(half)


@contextlib.contextmanager
def writing(data: Path) -> Iterator[None]:
    """Two databases that another process writes to all the time."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(data / f"chat-{number}.db")])
        for number in range(2)
    ]
    wait_until(lambda: all((data / f"chat-{n}.db-wal").exists() for n in range(2)))
    try:
        yield
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


class Watch:
    """Listens to `ws/backup/` until a job has ended."""

    def __init__(self, service: Launched) -> None:
        self.jobs: list[dict[str, Any]] = []
        self._socket = connect(
            f"ws://127.0.0.1:{service.port}/ws/backup/",
            additional_headers={"Authorization": f"Bearer {TOKEN}"},
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(Exception):  # the socket is closed when the test is over
            for message in self._socket:
                told = json.loads(message)
                self.jobs += told["jobs"] if told["type"] == "snapshot" else [told["job"]]

    def until_ended(self, job: Job) -> dict[str, Any]:
        def last() -> dict[str, Any]:
            return next((j for j in reversed(self.jobs) if j["id"] == job["id"]), {})

        wait_until(lambda: last().get("state") in {"SUCCEEDED", "FAILED", "CANCELLED", "LOST"})
        assert last()["state"] == "SUCCEEDED", last()["error"]
        return last()

    def close(self) -> None:
        self._socket.close()


def bucket_environment(service: Launched) -> dict[str, str]:
    """What `set -a; . var/bucket.env` gives a shell."""
    lines = (service.home / "var" / "bucket.env").read_text().splitlines()
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {**os.environ, **pairs}


def aws_copy(service: Launched, key: str, target: Path) -> None:
    env = bucket_environment(service)
    address = f"s3://{env['BACKUP_S3_BUCKET']}/{key}"
    endpoint = ["--endpoint-url", env["BACKUP_S3_ENDPOINT"]]
    command = ["aws", *endpoint, "s3", "cp", "--quiet", address, str(target)]
    subprocess.run(command, env=env, check=True)


def decrypt(archive: Path) -> Path:
    plain = archive.with_name("plain.tar.gz")
    script = ROOT / "scripts" / "tarkeep_decrypt.py"
    env = {"BACKUP_ENCRYPTION_KEY": PASSPHRASE}
    subprocess.run([sys.executable, str(script), str(archive), str(plain)], env=env, check=True)
    return plain


def spoil(data: Path) -> None:
    """Change some files, delete others, add one."""
    shutil.rmtree(data / "instance-1")
    (data / "instance-2" / "keys" / "key-2.json").write_text("changed")
    (data / "media.bin").write_bytes(b"gone")
    (data / "new-file").write_text("not in the backup")
    for path in data.glob("chat-0.db*"):
        path.unlink()


def test_the_readmes_steps(service: Launched, tmp_path: Path) -> None:
    data = service.home / "data"
    fill(data)
    watch, tarkeep = Watch(service), service.tarkeep()
    with writing(data):
        made = watch.until_ended(tarkeep.back_up())
    assert {"scanning", "archiving", "publishing"} <= {j["phase"] for j in watch.jobs} | {
        phase["name"] for phase in made["phases"]
    }
    assert any(0 < j["progress"]["bytesDone"] < GIB for j in watch.jobs if j["id"] == made["id"])

    assert [backup["key"] for backup in tarkeep.backups()] == [made["backupKey"]]
    out = unpacked(service, made["backupKey"], tmp_path)

    spoil(data)
    restored = watch.until_ended(tarkeep.restore(made["backupKey"]))
    watch.close()
    tarkeep.close()
    subprocess.run(["diff", "-r", "--no-dereference", str(data), str(out)], check=True)
    assert (data / "media.bin").stat().st_size == GIB
    safety = Path(restored["result"]["safetyCopy"])
    assert (safety / "new-file").exists()
    for number in range(2):
        with contextlib.closing(sqlite3.connect(data / f"chat-{number}.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            count, last = db.execute("SELECT count(*), max(n) FROM messages").fetchone()
            assert count == last > 0


def unpacked(service: Launched, key: str, tmp_path: Path) -> Path:
    """The archive fetched by `aws`, listed and unpacked by GNU tar."""
    archive = tmp_path / "fetched.tar.gz"
    aws_copy(service, key, archive)
    with archive.open("rb") as fetched:
        sealed = fetched.read(7) == b"TARKEEP"
    if sealed:
        archive = decrypt(archive)
    listing = subprocess.run(
        ["tar", "tzf", str(archive)], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert "data/media.bin" in listing
    assert sum(name.endswith(".json") for name in listing) == 5000
    subprocess.run(["tar", "xzf", str(archive), "-C", str(tmp_path)], check=True)
    archive.unlink()
    return tmp_path / "data"
