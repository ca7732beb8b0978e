"""What backups leave out stays with the data folder, whatever is put in its place."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.engine.test_swap_parts import as_nobody
from tests.engine.test_undo import fill, write
from tests.support.memory_storage import MemoryStorage
from tests.support.places import MODES, content, leftovers, place
from worker.engine.backup import run_backup
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig
from worker.engine.preview_restore import preview_restore
from worker.engine.progress import Progress
from worker.engine.restore import RestoreResult, run_restore
from worker.engine.restore_part import run_restore_part
from worker.engine.swap.copies import expire, safety_copies
from worker.engine.undo import run_undo

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
SAVED = {"state": "saved", "media/a": "saved"}
LATER = {"state": "later", "media/b": "later"}
LEFT_OUT = {"cache/big": "c" * 100, "cache/deep/er": "c", "media/in/x.skip": "skip", "y.skip": "y"}


def later(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


@pytest.fixture(params=MODES)
def plan(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PlanConfig]:
    with place(tmp_path / "place" / "data", request.param) as data:
        exclude = ("cache/", "*.skip")
        yield PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", exclude=exclude)


@pytest.fixture
def storage(plan: PlanConfig) -> MemoryStorage:
    """A backup was made, then the folder changed; what is left out was there all the time."""
    storage = MemoryStorage()
    fill(plan.data_dir, {**SAVED, **LEFT_OUT})
    run_backup(plan, storage, Progress(), now=NOW)
    fill(plan.data_dir, {**LATER, **LEFT_OUT})
    return storage


def restore(
    plan: PlanConfig, storage: MemoryStorage, heard: Heard | None = None, minutes: int = 1
) -> RestoreResult:
    return run_restore(plan, storage, heard or Heard(), key="latest", now=later(minutes))


def test_it_is_carried_into_the_restored_folder_and_back_by_an_undo(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    heard = Heard()
    done = restore(plan, storage, heard)
    assert content(plan.data_dir) == {**SAVED, **LEFT_OUT}
    assert content(done.safety_copy) == LATER
    undone = run_undo(plan, Heard(), now=later(2))
    assert content(plan.data_dir) == {**LATER, **LEFT_OUT}
    assert content(undone.safety_copy) == SAVED
    assert (leftovers(plan.data_dir), heard.codes) == ([], [])


def test_folders_made_for_it_look_as_they_did_and_no_restored_one_gets_another_time(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    restore(plan, storage)
    saved = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
    os.utime(plan.data_dir / "media", (saved, saved))
    run_backup(plan, storage, Progress(), now=later(5))
    write(plan.data_dir, {"media/new/z.skip": "z"})
    (plan.data_dir / "media" / "new").chmod(0o750)
    restore(plan, storage, minutes=6)
    assert (plan.data_dir / "media" / "new" / "z.skip").exists()
    assert (plan.data_dir / "media" / "new").stat().st_mode & 0o777 == 0o750
    assert (plan.data_dir / "media").stat().st_mtime == saved


def test_in_a_folder_that_is_restored_by_itself_it_stays_too(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    run_restore_part(plan, storage, Progress(), key="latest", words=["media"], now=later(1))
    assert content(plan.data_dir) == {"state": "later", "media/a": "saved", **LEFT_OUT}
    run_undo(plan, Progress(), now=later(2))
    assert content(plan.data_dir) == {**LATER, **LEFT_OUT}


def test_what_an_older_backup_holds_of_it_is_restored_and_the_rest_kept_aside(
    plan: PlanConfig,
) -> None:
    storage = MemoryStorage()
    fill(plan.data_dir, {**SAVED, "cache/old": "saved"})
    run_backup(replace(plan, exclude=()), storage, Progress(), now=NOW)
    fill(plan.data_dir, {**LATER, "cache/new": "later", "y.skip": "y"})
    done = restore(plan, storage)
    assert content(plan.data_dir) == {**SAVED, "cache/old": "saved", "y.skip": "y"}
    assert content(done.safety_copy) == {**LATER, "cache/new": "later"}


def test_a_dry_run_shows_it_as_kept(plan: PlanConfig, storage: MemoryStorage) -> None:
    backup = find_backup(storage, plan, "latest")
    with preview_restore(plan, storage, Progress(), backup=backup) as seen:
        kept = {one.path: one.size for one in seen.effects if one.what == "kept"}
    assert kept == {b"cache": 101, b"media/in/x.skip": 4, b"y.skip": 1}


def test_a_database_that_is_left_out_takes_its_log_along(plan: PlanConfig) -> None:
    plan = replace(plan, exclude=("*.db",))
    storage = MemoryStorage()
    fill(plan.data_dir, {**SAVED, "app.db-wal": "a log without its database, so a backup has it"})
    run_backup(plan, storage, Progress(), now=NOW)
    (plan.data_dir / "app.db-wal").unlink()
    writer = database(plan.data_dir / "app.db", "live")
    restore(plan, storage)
    writer.close()
    assert words(plan.data_dir / "app.db") == ["live"]


def test_a_log_that_is_left_out_never_meets_a_restored_database(plan: PlanConfig) -> None:
    plan = replace(plan, exclude=("*-wal", "*-shm"))
    storage, file = MemoryStorage(), plan.data_dir / "app.db"
    fill(plan.data_dir, SAVED)
    database(file, "saved").close()
    run_backup(plan, storage, Progress(), now=NOW)
    file.unlink()
    writer = database(file, "later")
    assert file.with_name("app.db-wal").exists()
    restore(plan, storage)
    writer.close()
    assert not list(plan.data_dir.glob("app.db-*"))
    assert words(file) == ["saved"]


def database(file: Path, word: str) -> sqlite3.Connection:
    """With a write-ahead log that is not yet in the file, as long as it stays open."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE words (word)")
    connection.execute("INSERT INTO words VALUES (?)", (word,))
    connection.commit()
    return connection


def words(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words")]


def test_what_cannot_be_brought_over_is_told_of_and_its_copy_never_expires(
    plan: PlanConfig,
) -> None:
    storage, heard = MemoryStorage(), Heard()
    fill(plan.data_dir, {"media": "a file now, a folder later"})
    run_backup(plan, storage, Progress(), now=NOW)
    (plan.data_dir / "media").unlink()
    write(plan.data_dir, {"media/x.skip": "12345", "media/in/y.skip": "6"})
    done = restore(plan, storage, heard)
    (warning,) = heard.warnings
    assert warning.code == "NOT_IN_BACKUP"
    assert "2 entries (6 bytes)" in warning.message
    long_after = NOW + timedelta(days=300)
    gone = expire(plan.data_dir, now=long_after, days=7, last_backup=long_after)
    assert (gone.removed, [one.code for one in gone.kept]) == ([], ["NOT_IN_BACKUP"])
    assert (done.safety_copy / "media" / "x.skip").read_text() == "12345"


def test_our_own_temporary_folder_in_the_data_folder_stays_there(plan: PlanConfig) -> None:
    plan = replace(plan, temp_dir=plan.data_dir / "sub" / "temp")
    storage = MemoryStorage()
    fill(plan.data_dir, SAVED)
    run_backup(plan, storage, Progress(), now=NOW)
    write(plan.temp_dir, {"mine": "in use"})
    restore(plan, storage)
    assert (plan.temp_dir / "mine").read_text() == "in use"


def test_what_we_may_not_read_stays() -> None:
    """Without rights of root: a backup warned that it could not read these."""
    base = Path(tempfile.mkdtemp())
    base.chmod(0o755)
    plan = PlanConfig(data_dir=base / "place" / "data", temp_dir=base / "place" / "temp")
    plan.data_dir.mkdir(parents=True)

    def run() -> None:
        storage = MemoryStorage()
        fill(plan.data_dir, {**SAVED, "secret": "s", "closed/in": "c"})
        for name in ("secret", "closed"):
            (plan.data_dir / name).chmod(0)
        run_backup(plan, storage, Progress(), now=NOW)
        (plan.data_dir / "state").write_text("later")
        restore(plan, storage)
        assert [path.name for path in safety_copies(plan.data_dir)[0].path.iterdir()]

    try:
        assert as_nobody(base / "place", run) == 0
        (plan.data_dir / "closed").chmod(0o700)
        (plan.data_dir / "secret").chmod(0o600)
        assert content(plan.data_dir) == {**SAVED, "secret": "s", "closed/in": "c"}
    finally:
        shutil.rmtree(base)
