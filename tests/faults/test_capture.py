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
from tests.support.memory_storage import MemoryStorage
from tests.support.root import needs_root
from worker.engine.backup import run_backup
from worker.engine.catalogue import list_backups
from worker.engine.config import PlanConfig, ReuseConfig
from worker.engine.errors import EngineError, SourceError, TargetError
from worker.engine.instances.config import CommandConfig, InstanceConfig
from worker.engine.verify import run_verify

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DATABASES = 20
BACKUPS = 50
AS_EACH_NIGHT = 5
AT_ONCE = ReuseConfig(full_every=1000, least_copy=200, settled=-(10**18))

# Begins where it ended, and ends between two transactions.
WRITER = """
import signal, sqlite3, sys, time
from pathlib import Path
folder, count = sys.argv[1], int(sys.argv[2])
dbs, over = [], []
signal.signal(signal.SIGTERM, lambda *_: over.append(1))
for number in range(count):
    db = sqlite3.connect(f"{folder}/{number}.db", timeout=60, isolation_level=None)
    db.execute("PRAGMA journal_mode=" + ("WAL" if number % 2 else "DELETE"))
    db.execute("PRAGMA synchronous=OFF")
    db.execute("CREATE TABLE IF NOT EXISTS a (n INTEGER PRIMARY KEY, t TEXT)")
    db.execute("CREATE TABLE IF NOT EXISTS b (n INTEGER PRIMARY KEY, t TEXT)")
    dbs.append((db, db.execute("SELECT coalesce(max(n), 0) FROM a").fetchone()[0]))
Path(sys.argv[3]).write_text("ready")
for n in range(1, 10**9):
    time.sleep(0.01 if n > 2000 else 0)  # a slow machine shall not have to check ever more
    for db, before in dbs:
        if over:
            sys.exit()
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO a VALUES (?, ?)", (before + n, "x" * (n % 700)))
        db.execute("INSERT INTO b VALUES (?, ?)", (before + n, "y" * (n % 900)))
        db.execute("COMMIT")
"""
# An instance of it, as a process manager without mercy for zombies would have it.
CTL = """
import os, signal, subprocess, sys, time
from pathlib import Path
verb, folder, pid = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[2] + ".pid")
ready = Path(sys.argv[2] + ".ready")
def runs():
    try:
        stat = Path(f"/proc/{pid.read_text()}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
if verb == "start":
    ready.unlink(missing_ok=True)
    argv = [sys.executable, "-c", sys.argv[3], str(folder), sys.argv[4], str(ready)]
    pid.write_text(str(subprocess.Popen(argv, start_new_session=True).pid))
    while not ready.exists():
        time.sleep(0.01)
elif verb == "stop":
    os.kill(int(pid.read_text()), signal.SIGTERM)
    while runs():
        time.sleep(0.01)
sys.exit(0 if verb != "status" or runs() else 3)
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


def ctl(verb: str, folder: Path) -> tuple[str, ...]:
    return (sys.executable, "-c", CTL, verb, str(folder), WRITER, str(DATABASES))


@contextlib.contextmanager
def hammered(folder: Path) -> Iterator[None]:
    subprocess.run(ctl("start", folder), check=True)
    try:
        yield
    finally:
        subprocess.run(ctl("stop", folder), check=True)


@pytest.mark.timeout(900)  # many minutes where the machine does other things too
def test_fifty_backups_of_twenty_databases_under_fire(tmp_path: Path) -> None:
    """The last of them as they are made each night: built on the one before, with the application
    stopped while it is read."""
    folder, storage = tmp_path / "data", MemoryStorage()
    folder.mkdir()
    (folder / "steady").write_bytes(os.urandom(100_000))
    seen = dict.fromkeys(range(DATABASES), 0)
    with hammered(folder):
        for number in range(BACKUPS):
            heard = Heard()
            if number < BACKUPS - AS_EACH_NIGHT:
                archive = pack_folder(folder, tmp_path / "work", level=1, progress=heard)
            else:
                made = run_backup(nightly(folder), storage, heard, now=NOW + timedelta(number))
                archive = b"".join(storage.get(made.key))
                assert bool(made.bytes_copied) is (number > BACKUPS - AS_EACH_NIGHT)
                assert made.downtime > 0
            assert heard.codes == []
            out = untar(archive, tmp_path / f"out{number}")
            for database in seen:
                count = transactions(out / f"{database}.db")
                assert count >= seen[database], "an older state than in the backup before"
                seen[database] = count
            subprocess.run(["rm", "-r", str(out.parent)], check=True)
    assert min(seen.values()) > 0


def nightly(folder: Path) -> PlanConfig:
    command = CommandConfig(
        stop=ctl("stop", folder), start=ctl("start", folder), status=ctl("status", folder)
    )
    return PlanConfig(
        data_dir=folder,
        temp_dir=folder.parent / "temp",
        compression_level=1,
        stop_instances=True,
        instances=InstanceConfig(drivers=("command",), command=command),
        reuse=AT_ONCE,
    )


class Racer(threading.Thread):
    """Grows, shrinks, deletes, renames and replaces files and folders until told to stop."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.dice = folder, random.Random(7)
        self.outside = folder.with_name("outside")
        self.outside.write_text("nobody's business\n")
        with contextlib.closing(sqlite3.connect(folder / "live.db")) as db:
            db.execute("CREATE TABLE t (a)")
        self.over = threading.Event()
        self.rounds = 0

    def run(self) -> None:
        with contextlib.closing(sqlite3.connect(self.folder / "live.db", timeout=0)) as self.db:
            while not self.over.is_set():
                with contextlib.suppress(OSError, sqlite3.OperationalError):
                    self.step(self.place() / f"f{self.dice.randrange(20)}")
                self.rounds += 1
                time.sleep(0.0005)  # let the backup have the interpreter too

    def place(self) -> Path:
        return self.folder / self.dice.choice(("here", "there", "."))

    def step(self, path: Path) -> None:
        match self.dice.randrange(11):
            case 0 if not path.exists() or path.lstat().st_size < 200_000:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
                with open(os.open(path, flags), "ab") as file:
                    file.write(self.dice.randbytes(self.dice.randrange(300_000)))
            case 1:
                os.truncate(path, self.dice.randrange(1000))
            case 2:
                path.unlink()
            case 3:
                path.rename(self.place() / f"f{self.dice.randrange(20)}")
            case 4:
                path.unlink()
                os.mkfifo(path)
            case 5:
                path.unlink()
                path.symlink_to(self.outside)  # what is done to it is done to a file of our own
            case 6:
                new = path.with_suffix(".new")
                new.write_bytes(self.dice.randbytes(50_000))
                new.replace(path)
            case 7:
                path.parent.rename(self.folder / "away")
                (self.folder / "away").rename(self.place())
            case 8:
                os.truncate(path, 1_000_000)  # with a hole at its end
            case 9:
                with self.db:
                    self.db.execute("INSERT INTO t VALUES (?)", (self.dice.randbytes(5000),))
            case 10:
                (self.folder / "here").mkdir(exist_ok=True)
                (self.folder / "there").mkdir(exist_ok=True)


def test_row_54_every_archive_of_a_changing_folder_lists_extracts_and_verifies(
    tmp_path: Path,
) -> None:
    folder, storage = tmp_path / "data", MemoryStorage()
    folder.mkdir()
    (folder / "steady").write_bytes(os.urandom(15_000))
    plan = PlanConfig(
        data_dir=folder, temp_dir=tmp_path / "temp", segment_size=64 * 1024, reuse=AT_ONCE
    )
    racer, codes, copied = Racer(folder), set[str](), 0
    racer.start()
    try:
        for number in range(12):
            heard = Heard()
            made = run_backup(plan, storage, heard, now=NOW + timedelta(number))
            codes |= set(heard.codes)
            copied += made.bytes_copied
            for tool in ("tar", "bsdtar"):
                out = untar(
                    b"".join(storage.get(made.key)), tmp_path / f"{tool}{number}", tool, "xzf", "-"
                )
                assert (out / "steady").read_bytes() == (folder / "steady").read_bytes()
                with contextlib.closing(sqlite3.connect(out / "live.db")) as db:
                    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                subprocess.run(["rm", "-rf", str(out.parent)], check=True)
            assert run_verify(plan, storage, Heard(), key=made.key).databases
    finally:
        racer.over.set()
        racer.join()
    assert racer.rounds > 200
    assert copied
    assert "SQLITE_DAMAGED" not in codes
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
import os, sqlite3, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.engine.packing import Heard, pack_folder
os.setgid(65534); os.setuid(65534)
heard = Heard()
archive = pack_folder(Path(sys.argv[1]), Path(sys.argv[2]), progress=heard)
print(heard.codes, len(archive) > 0)
index = sqlite3.connect(sys.argv[2] + "/index.sqlite3")
for name, note in index.execute("SELECT name, note FROM files WHERE note <> '' ORDER BY name"):
    print(name.decode(), note)
"""


@needs_root("becoming another user takes root")
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
    assert ran.stdout.splitlines() == [
        "['FILE_UNREADABLE', 'FOLDER_UNREADABLE'] True",
        "closed FOLDER_UNREADABLE",
        "secret FILE_UNREADABLE",
    ], ran.stderr


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


@needs_root("mounting takes root")
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


@needs_root("mounting takes root")
def test_a_database_larger_than_the_temporary_folder_is_saved_as_files(tmp_path: Path) -> None:
    folder, small = tmp_path / "data", tmp_path / "small"
    folder.mkdir()
    small.mkdir()
    db = sqlite3.connect(folder / "large.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE a (n INTEGER PRIMARY KEY, t TEXT)")
    db.execute("CREATE TABLE b (n INTEGER PRIMARY KEY, t TEXT)")
    for table in ("a", "b"):  # in the log and nowhere else
        db.execute(f"INSERT INTO {table} VALUES (1, ?)", ("x" * 10_000_000,))
    # Room for the file and what is left free, and not for what its log will add.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "none", str(small)], check=True)
    try:
        heard = Heard()
        archive = pack_folder(folder, small, progress=heard)
        assert not list(small.glob("sqlite-*"))
    finally:
        subprocess.run(["umount", str(small)], check=True)
        db.close()
    assert heard.codes == ["SQLITE_COPIED_AS_FILE"]
    assert "do not fit into the temporary folder" in heard.warnings[0].message
    out = untar(archive, tmp_path / "out")
    assert transactions(out / "large.db") == 1
