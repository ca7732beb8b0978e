"""Rows 53 to 58 of the fault matrix: whatever the data folder does, archives stay whole."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.packing import Heard, pack_folder
from tests.engine.trees import describe
from tests.support.memory_storage import MemoryStorage
from worker.engine.backup import run_backup
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig
from worker.engine.errors import EngineError, SourceError, TargetError

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DATABASES = 20
BACKUPS = 50

WRITER = """
import sqlite3, sys
folder, count = sys.argv[1], int(sys.argv[2])
dbs = []
for number in range(count):
    db = sqlite3.connect(f"{folder}/{number}.db", timeout=60, isolation_level=None)
    db.execute("PRAGMA journal_mode=" + ("WAL" if number % 2 else "DELETE"))
    db.execute("PRAGMA synchronous=OFF")
    db.execute("CREATE TABLE a (n INTEGER PRIMARY KEY, t TEXT)")
    db.execute("CREATE TABLE b (n INTEGER PRIMARY KEY, t TEXT)")
    dbs.append(db)
print("ready", flush=True)
for n in range(1, 10**9):
    for db in dbs:
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO a VALUES (?, ?)", (n, "x" * (n % 700)))
        db.execute("INSERT INTO b VALUES (?, ?)", (n, "y" * (n % 900)))
        db.execute("COMMIT")
"""


def untar(archive: bytes, target: Path, *tool: str) -> Path:
    target.mkdir()
    command = tool or ("tar", "xzf", "-")
    subprocess.run([*command, "-C", str(target)], input=archive, check=True)
    return target / "data"


def transactions(path: Path) -> int:
    """How many were committed; fails unless they are whole and without a gap."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = {
            db.execute(f"SELECT count(*), coalesce(max(n), 0) FROM {table}").fetchone()
            for table in ("a", "b")
        }
    assert len(rows) == 1, f"{path.name} holds half a transaction"
    count, last = rows.pop()
    assert count == last
    return int(last)


@contextlib.contextmanager
def hammered(folder: Path) -> Iterator[None]:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(DATABASES)], stdout=subprocess.PIPE
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        yield
    finally:
        writer.kill()
        writer.wait()


def test_fifty_backups_of_twenty_databases_under_fire(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    seen = dict.fromkeys(range(DATABASES), 0)
    with hammered(folder):
        for number in range(BACKUPS):
            heard = Heard()
            archive = pack_folder(folder, tmp_path / "work", level=1, progress=heard)
            assert "SQLITE_DAMAGED" not in heard.codes
            out = untar(archive, tmp_path / f"out{number}")
            for database in seen:
                count = transactions(out / f"{database}.db")
                assert count >= seen[database], "an older state than in the backup before"
                seen[database] = count
            subprocess.run(["rm", "-r", str(out.parent)], check=True)
    assert min(seen.values()) > 0


class Racer(threading.Thread):
    """Grows, shrinks, deletes, renames and replaces files until told to stop."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.dice = folder, random.Random(7)
        self.over = threading.Event()
        self.rounds = 0

    def run(self) -> None:
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                self.step(self.folder / f"f{self.dice.randrange(60)}")
            self.rounds += 1
            time.sleep(0.0005)  # let the backup have the interpreter too

    def step(self, path: Path) -> None:
        match self.dice.randrange(7):
            case 0 if not path.exists() or path.lstat().st_size < 200_000:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
                with open(os.open(path, flags), "ab") as file:
                    file.write(self.dice.randbytes(self.dice.randrange(300_000)))
            case 1:
                os.truncate(path, self.dice.randrange(1000))
            case 2:
                path.unlink()
            case 3:
                path.rename(self.folder / f"f{self.dice.randrange(60)}")
            case 4:
                path.unlink()
                os.mkfifo(path)
            case 5:
                path.unlink()
                path.symlink_to("/etc/passwd")
            case 6:
                new = path.with_suffix(".new")
                new.write_bytes(self.dice.randbytes(50_000))
                new.replace(path)


def test_row_54_every_archive_of_a_changing_folder_lists_and_extracts(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "steady").write_bytes(b"does not change" * 1000)
    racer = Racer(folder)
    racer.start()
    codes: set[str] = set()
    try:
        for number in range(25):
            heard = Heard()
            archive = pack_folder(folder, tmp_path / "w", segment_size=64 * 1024, progress=heard)
            codes |= set(heard.codes)
            for tool in ("tar", "bsdtar"):
                out = untar(archive, tmp_path / f"{tool}{number}", tool, "xzf", "-")
                assert (out / "steady").read_bytes() == b"does not change" * 1000
                subprocess.run(["rm", "-rf", str(out.parent)], check=True)
    finally:
        racer.over.set()
        racer.join()
    assert racer.rounds > 1000
    assert codes & {"FILE_VANISHED", "FILE_CHANGED", "FILE_SHRANK", "FILE_REPLACED"}


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    data.mkdir()
    (data / "state.json").write_text("{}")
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", max_backups=1)


@pytest.mark.parametrize("odd", ["missing", "empty", "file", "dangling link"])
def test_row_53_an_odd_data_folder_is_refused_and_no_backup_is_removed(
    plan: PlanConfig, tmp_path: Path, odd: str
) -> None:
    storage = MemoryStorage()
    made = run_backup(plan, storage, Heard(), now=NOW)
    place = tmp_path / "odd"
    if odd == "empty":
        place.mkdir()
    elif odd == "file":
        place.write_text("not a folder")
    elif odd == "dangling link":
        place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(SourceError) as caught:
        run_backup(replace(plan, data_dir=place), storage, Heard(), now=NOW + timedelta(days=1))
    assert caught.value.hint
    assert [backup.key for backup in list_backups(storage, plan)] == [made.key]


UNREADABLE = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.engine.packing import Heard, pack_folder
os.setgid(65534); os.setuid(65534)
heard = Heard()
archive = pack_folder(Path(sys.argv[1]), Path(sys.argv[2]), progress=heard)
print(heard.codes, len(archive) > 0)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root, which CI is")
def test_row_55_what_may_not_be_read_is_a_warning(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            os.chmod(parent, parent.stat().st_mode | 0o011)
    data, work = tmp_path / "data", tmp_path / "work"
    (data / "closed").mkdir(parents=True)
    (data / "open").write_text("readable")
    (data / "secret").write_text("no")
    (data / "closed" / "x").write_text("no")
    os.chmod(data / "secret", 0)
    os.chmod(data / "closed", 0)
    work.mkdir()
    os.chown(work, 65534, 65534)
    root = str(Path(__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "-c", UNREADABLE, str(data), str(work), root],
        capture_output=True,
        text=True,
    )
    assert ran.stdout.strip() == "['FILE_UNREADABLE', 'FOLDER_UNREADABLE'] True", ran.stderr


def test_row_56_the_zoo_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / ("n" * 255)).write_text("the longest name")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe\n")).write_text("no UTF-8")
    os.mkfifo(folder / "pipe")
    with (folder / "sparse").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    (folder / "original").write_text("linked")
    os.link(folder / "original", folder / "twin")
    deep = os.open(folder, os.O_RDONLY)
    for _ in range(500):
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    heard = Heard()
    archive = pack_folder(folder, tmp_path / "work", progress=heard)
    out = untar(archive, tmp_path / "out")
    assert heard.codes == ["SPECIAL_FILE"]
    (folder / "pipe").unlink()
    assert describe(out) == describe(folder)
    assert (out / "original").stat().st_ino == (out / "twin").stat().st_ino


@pytest.mark.parametrize("trouble", ["not writable", "a file"])
def test_row_58_a_temporary_folder_that_cannot_be_used_is_named(
    plan: PlanConfig, tmp_path: Path, trouble: str
) -> None:
    place = tmp_path / "occupied"
    place.write_text("")
    plan = replace(plan, temp_dir=place / "temp" if trouble == "not writable" else place)
    storage = MemoryStorage()
    with pytest.raises(TargetError) as caught:
        run_backup(plan, storage, Heard(), now=NOW)
    assert "BACKUP_TEMP_DIR" in caught.value.hint
    assert not list(storage.list(""))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root, which CI is")
def test_row_58_a_full_temporary_folder_is_a_clear_error(plan: PlanConfig, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], check=True)
    try:
        for number in range(3000):
            (plan.data_dir / f"{number:05}-with-a-name-that-takes-some-room").write_text("")
        storage = MemoryStorage()
        with pytest.raises(EngineError) as caught:
            run_backup(replace(plan, temp_dir=small), storage, Heard(), now=NOW)
        assert "temporary folder" in caught.value.message
        assert not list(storage.list(""))
    finally:
        subprocess.run(["umount", str(small)], check=True)
