"""A live database in a backup is one instant of it, without stopping whoever writes."""

from __future__ import annotations

import gzip
import io
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.packing import Heard, pack_folder

WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
db.execute(f"PRAGMA journal_mode={sys.argv[2]}")
db.execute("CREATE TABLE IF NOT EXISTS one (n INTEGER PRIMARY KEY, t TEXT)")
db.execute("CREATE TABLE IF NOT EXISTS two (n INTEGER PRIMARY KEY, t TEXT)")
for n in range(1, 10**9):
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO one VALUES (?, ?)", (n, "x" * (n % 900)))
    db.execute("INSERT INTO two VALUES (?, ?)", (n, "y" * (n % 700)))
    db.execute("COMMIT")
"""


@pytest.fixture(params=["wal", "delete"])
def busy(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder whose database another process writes to all the time."""
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "chat.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), request.param])
    for _ in range(500):
        if path.exists() and path.stat().st_size > 50_000:
            break
        time.sleep(0.02)
    yield folder
    writer.kill()
    writer.wait()


def members(archive: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=gzip.GzipFile(fileobj=io.BytesIO(archive)), mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member)
            found[member.name] = content.read() if content else b""
    return found


def test_every_capture_of_a_busy_database_is_whole(busy: Path, tmp_path: Path) -> None:
    before = 0
    for number in range(10):
        heard = Heard()
        found = members(pack_folder(busy, tmp_path / "work", progress=heard))
        assert "SQLITE_COPIED_AS_FILE" not in heard.codes
        assert not [name for name in found if name.endswith(("-wal", "-shm", "-journal"))]
        copy = tmp_path / f"copy{number}.db"
        copy.write_bytes(found["data/chat.db"])
        before = check(copy, before)


def check(path: Path, before: int) -> int:
    """Both tables hold the same unbroken run of transactions, no shorter than `before`."""
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    counts = {
        db.execute(f"SELECT count(*), coalesce(max(n), 0) FROM {table}").fetchone()
        for table in ("one", "two")
    }
    assert len(counts) == 1
    count, last = counts.pop()
    assert count == last >= before
    db.close()
    return int(last)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_at_rest_is_kept_to_the_byte(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    db = sqlite3.connect(folder / "quiet.db")
    db.execute(f"PRAGMA journal_mode={mode}")
    db.execute("CREATE TABLE t (a)")
    db.executemany("INSERT INTO t VALUES (?)", [("x" * n,) for n in range(900)])
    db.commit()
    db.close()
    found = members(pack_folder(folder, tmp_path / "work"))
    assert found["data/quiet.db"] == (folder / "quiet.db").read_bytes()
    assert [path.name for path in folder.iterdir()] == ["quiet.db"]


def test_what_only_looks_like_a_database_is_copied_with_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    content = b"SQLite format 3\0" + b"but it is none" * 100
    (folder / "fake.db").write_bytes(content)
    (folder / "fake.db-wal").write_bytes(b"kept too")
    heard = Heard()
    found = members(pack_folder(folder, tmp_path / "work", progress=heard))
    assert found["data/fake.db"] == content
    assert found["data/fake.db-wal"] == b"kept too"
    assert heard.codes == ["SQLITE_COPIED_AS_FILE"]


def test_a_database_locked_for_long_is_copied_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.capture.sqlite_capture._BUSY_SECONDS", 0.1)
    folder = tmp_path / "data"
    folder.mkdir()
    db = sqlite3.connect(folder / "held.db", isolation_level=None)
    db.execute("CREATE TABLE t (a)")
    db.execute("BEGIN EXCLUSIVE")
    heard = Heard()
    found = members(pack_folder(folder, tmp_path / "work", progress=heard))
    db.execute("ROLLBACK")
    assert "data/held.db" in found
    assert heard.codes == ["SQLITE_COPIED_AS_FILE"]


def test_a_damaged_database_is_saved_as_it_is_and_said(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "sick.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (a)")
        db.executemany("INSERT INTO t VALUES (?)", [("x" * 500,) for _ in range(500)])
    db.close()
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 6] = b"\xee" * 4096
    path.write_bytes(content)
    heard = Heard()
    found = members(pack_folder(folder, tmp_path / "work", progress=heard))
    assert found["data/sick.db"] == content
    assert heard.codes == ["SQLITE_DAMAGED"]


def test_no_copy_of_a_database_stays_behind(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(5):
        with sqlite3.connect(folder / f"{number}.db") as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("CREATE TABLE t (a)")
    pack_folder(folder, tmp_path / "work")
    assert not list((tmp_path / "work").glob("sqlite-*"))
