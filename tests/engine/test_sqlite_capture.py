"""A live database in a backup is one instant of it, without stopping whoever writes."""

from __future__ import annotations

import gzip
import io
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.engine.packing import Heard, pack_folder
from worker.engine.capture import copying
from worker.engine.capture.sqlite_capture import capture
from worker.engine.errors import JobStopped
from worker.engine.progress import Progress

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM t").fetchone()[0])


def note(work: Path, name: bytes) -> str:
    with closing(sqlite3.connect(work / "index.sqlite3")) as index:
        return str(index.execute("SELECT note FROM files WHERE name = ?", (name,)).fetchone()[0])


def test_a_database_with_holes_is_captured_and_keeps_them(folder: Path, tmp_path: Path) -> None:
    db = sqlite3.connect(folder / "holed.db", isolation_level=None)
    db.execute("CREATE TABLE t (a)")
    db.executemany("INSERT INTO t VALUES (?)", [(bytes(4000),)] * 500)
    db.execute("DELETE FROM t")
    db.execute("INSERT INTO t VALUES ('kept')")
    db.close()
    with (folder / "holed.db").open("r+b") as file:  # as a copy with holes has it: zeros are none
        content = file.read()
        file.truncate(4096 * 4)
        file.truncate(len(content))
    heard = Heard()
    archive = pack_folder(folder, tmp_path / "work", progress=heard)
    assert heard.codes == []
    assert note(tmp_path / "work", b"holed.db") == "SQLITE_OK"
    subprocess.run(["tar", "xzf", "-", "-C", str(tmp_path)], input=archive, check=True)
    out = tmp_path / "data" / "holed.db"
    assert out.stat().st_blocks * 512 < out.stat().st_size


class Writing(Heard):
    """Writes whenever the run shows that it is at work, if it may."""

    def __init__(self, write: Callable[[], None], times: int = 10**9) -> None:
        super().__init__()
        self.write, self.left, self.refused = write, times, 0

    def pulse(self) -> None:
        if self.left > 0:
            self.left -= 1
            try:
                self.write()
            except sqlite3.OperationalError:
                self.refused += 1


@pytest.mark.parametrize("times", [2, 10**9])
def test_a_database_with_a_rollback_journal_is_read_in_steps_between_which_others_write(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(copying, "_STEP", 64 * 1024)
    db = sqlite3.connect(folder / "busy.db", timeout=0, isolation_level=None)
    db.execute("CREATE TABLE t (a)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO t VALUES (?)", [("x" * 3000,)] * 200)
    db.execute("COMMIT")
    writing = Writing(lambda: db.execute("INSERT INTO t VALUES ('more')") and None, times)
    found = members(pack_folder(folder, tmp_path / "work", progress=writing))
    db.close()
    assert writing.codes == []
    copy = tmp_path / "copy.db"
    copy.write_bytes(found["data/busy.db"])
    assert (rows(copy) == 202) if times == 2 else (rows(copy) > 203)
    assert bool(writing.refused) == (times > 2)  # in the end it is read in one go
    assert note(tmp_path / "work", b"busy.db") == "SQLITE_OK"


def test_with_content_in_the_log_all_pages_stay_where_they_are(
    folder: Path, tmp_path: Path
) -> None:
    path = folder / "live.db"
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "wal_autocheckpoint=0"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("CREATE TABLE t (a)")
    db.executemany("INSERT INTO t VALUES (?)", [(str(n) * 900,) for n in range(300)])
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute("DELETE FROM t WHERE rowid % 3 = 0")
    db.execute("INSERT INTO t VALUES (?)", ("y" * 30_000,))
    captured = members(pack_folder(folder, tmp_path / "work"))["data/live.db"]
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    whole = path.read_bytes()
    assert len(captured) == len(whole)
    differing = [at for at in range(len(whole)) if captured[at] != whole[at]]
    # What the header counts for those who have it open: changes, and who wrote last.
    assert not [at for at in differing if at not in (*range(24, 28), *range(92, 100))]


HOT = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("CREATE TABLE t (a)")
db.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
db.execute("PRAGMA cache_size=1")
db.execute("BEGIN")
db.execute("UPDATE t SET a = 'half'")
db.execute("DELETE FROM t WHERE rowid > 50")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_database_whose_writer_died_is_saved_with_the_journal_that_mends_it(
    folder: Path, tmp_path: Path
) -> None:
    path = folder / "hot.db"
    died = subprocess.run([sys.executable, "-c", HOT, str(path)])
    assert died.returncode == -signal.SIGKILL
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {"hot.db", "hot.db-journal"}
    heard = Heard()
    archive = pack_folder(folder, tmp_path / "work", progress=heard)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert heard.codes == ["SQLITE_COPIED_AS_FILE"]
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "xzf", "-", "-C", str(out)], input=archive, check=True)
    with closing(sqlite3.connect(out / "data" / "hot.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT count(*), min(length(a)) FROM t").fetchone() == (200, 500)


def test_one_that_wants_a_collation_of_its_own_is_captured_and_said_not_to_be_checked(
    folder: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(folder / "own.db", isolation_level=None)) as db:
        db.create_collation("own", lambda a, b: (a > b) - (a < b))
        db.execute("CREATE TABLE t (a TEXT COLLATE own)")
        db.execute("CREATE INDEX i ON t (a)")
        db.executemany("INSERT INTO t VALUES (?)", [(str(n),) for n in range(50)])
    heard = Heard()
    pack_folder(folder, tmp_path / "work", progress=heard)
    assert heard.codes == ["SQLITE_NOT_CHECKED"]
    assert note(tmp_path / "work", b"own.db") == "SQLITE_NOT_CHECKED"


def test_the_log_of_an_encrypted_database_is_warned_of(folder: Path, tmp_path: Path) -> None:
    db = sqlite3.connect(folder / "secret.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE t (a)")
    with (folder / "secret.db").open("r+b") as file:  # SQLCipher has a salt in the magic's place
        file.write(os.urandom(16))
    heard = Heard()
    found = members(pack_folder(folder, tmp_path / "work", progress=heard))
    with suppress(sqlite3.DatabaseError):
        db.close()
    assert heard.codes == ["SQLITE_COPIED_AS_FILE"]
    assert {"data/secret.db", "data/secret.db-wal"} <= set(found)


class Cancelled(Progress):
    def checkpoint(self) -> None:
        raise JobStopped("The job was cancelled")


@pytest.mark.row(26)
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_cancel_is_heard_while_a_database_is_copied(
    folder: Path, tmp_path: Path, mode: str
) -> None:
    path, work = folder / "large.db", tmp_path / "copies"
    work.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as db, path.open("rb") as file:
        db.execute(f"PRAGMA journal_mode={mode}")
        db.execute("CREATE TABLE t (a)")
        db.execute("INSERT INTO t VALUES (zeroblob(30000000))")
        with pytest.raises(JobStopped):
            capture(os.fsencode(path), file.fileno(), work, Cancelled())
    assert list(work.iterdir()) == []
