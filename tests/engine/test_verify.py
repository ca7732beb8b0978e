"""What a verification reads, and that each kind of damage names itself."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.support.memory_storage import MemoryStorage
from worker.engine import databases, metadata
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig
from worker.engine.databases import Databases
from worker.engine.errors import ArchiveError, JobStopped
from worker.engine.integrity import integrity
from worker.engine.naming import archive_key, index_key, metadata_key
from worker.engine.progress import Progress
from worker.engine.verify import run_verify

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
KEY = archive_key(PlanConfig(), NOW)


def database(path: Path, rows: int = 2000) -> Path:
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("PRAGMA journal_mode=DELETE")
        made.execute("CREATE TABLE told (word TEXT)")
        made.executemany("INSERT INTO told VALUES (?)", [(f"word {n}" * 5,) for n in range(rows)])
        made.execute("CREATE INDEX words ON told (word)")
    return path


def spoil(path: Path) -> None:
    """Break a page in the middle, and leave the file's time as it was."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture(params=[None, "k" * 40], ids=["plain", "encrypted"])
def plan(tmp_path: Path, request: pytest.FixtureRequest) -> PlanConfig:
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "state.json").write_text("{}")
    (data / "sub" / "media").write_bytes(os.urandom(30_000))
    os.link(data / "state.json", data / "same.json")
    (data / "link").symlink_to("state.json")
    with (data / "holes").open("wb") as file:
        file.truncate(1_000_000)
    database(data / "chats.db")
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", encryption_key=request.param)


@pytest.fixture
def storage(plan: PlanConfig) -> MemoryStorage:
    storage = MemoryStorage()
    run_backup(replace(plan, segment_size=8192), storage, Progress(), now=NOW)
    return storage


def code(plan: PlanConfig, storage: MemoryStorage) -> str:
    with pytest.raises(ArchiveError) as refused:
        run_verify(plan, storage, Progress(), key=KEY)
    assert refused.value.hint
    return refused.value.code


def test_everything_is_read_counted_and_held_against_the_index(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    heard = Heard()
    result = run_verify(plan, storage, heard, key="latest")
    made = metadata.load(storage.get_bytes(metadata_key(KEY), limit=10**6), KEY)
    assert (result.files, result.folders, result.links) == (4, 2, 2)
    assert (result.size, result.segments) == (made.size, made.segment_count)
    assert (result.databases, result.unchecked, result.indexed) == (1, 0, True)
    assert heard.codes == []
    assert list(plan.temp_dir.iterdir()) == []


def test_an_archive_of_another_size_than_its_metadata_says_is_refused_unread(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    storage.put(KEY, storage.get_bytes(KEY, limit=10**9)[:-7])
    assert code(plan, storage) == "ARCHIVE_SIZE"


def test_metadata_that_cannot_be_used_is_named(plan: PlanConfig, storage: MemoryStorage) -> None:
    storage.put(metadata_key(KEY), b"{")
    assert code(plan, storage) == "METADATA_INVALID"


def test_a_missing_index_is_named_after_the_archive_was_found_whole(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    storage.delete(index_key(KEY))
    with pytest.raises(ArchiveError) as refused:
        run_verify(plan, storage, Progress(), key=KEY)
    assert refused.value.code == "INDEX_MISSING"
    assert "whole" in refused.value.hint


def test_a_damaged_index_is_named_though_a_good_one_lies_in_the_cache(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    run_verify(plan, storage, Progress(), key=KEY)
    raw = bytearray(storage.get_bytes(index_key(KEY), limit=10**9))
    raw[len(raw) // 2] ^= 1
    storage.put(index_key(KEY), bytes(raw))
    assert code(plan, storage) in {"INDEX_DAMAGED", "INDEX_FOREIGN"}


def test_a_damaged_archive_is_said_before_its_damaged_index(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    storage.delete(index_key(KEY))
    raw = bytearray(storage.get_bytes(KEY, limit=10**9))
    raw[5000] ^= 1
    storage.put(KEY, bytes(raw))
    assert code(plan, storage) in {"ARCHIVE_DAMAGED", "ARCHIVE_CHECKSUM"}


def test_an_archive_made_by_hand_is_read_without_an_index(tmp_path: Path) -> None:
    plan = PlanConfig(data_dir=tmp_path / "data", temp_dir=tmp_path / "temp")
    plan.data_dir.mkdir()
    spoil(database(plan.data_dir / "chats.db"))
    storage, heard = MemoryStorage(), Heard()
    storage.put(KEY, subprocess.check_output(["tar", "-cz", "data"], cwd=tmp_path))
    result = run_verify(plan, storage, heard, key=KEY)
    assert (result.files, result.databases, result.indexed) == (1, 1, False)
    assert heard.codes == ["DATABASE_DAMAGED"]


def test_a_database_that_was_damaged_when_it_was_saved_is_only_warned_of(
    plan: PlanConfig,
) -> None:
    spoil(plan.data_dir / "chats.db")
    storage, heard = MemoryStorage(), Heard()
    run_backup(plan, storage, Progress(), now=NOW)
    assert run_verify(plan, storage, heard, key=KEY).databases == 1
    assert heard.codes == ["DATABASE_DAMAGED"]


def test_a_database_that_was_whole_when_it_was_saved_is_damage(tmp_path: Path) -> None:
    found = Databases(tmp_path, Progress(), lambda _: True)
    path = database(tmp_path / "a.db")
    spoil(path)
    found.check(b"a.db", path)
    with pytest.raises(ArchiveError) as refused:
        found.demand()
    assert refused.value.code == "DATABASE_DAMAGED"
    assert "a.db" in refused.value.message


def test_a_database_larger_than_the_free_space_is_said_to_be_unchecked(
    plan: PlanConfig, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "_MARGIN", 1 << 60)
    heard = Heard()
    result = run_verify(plan, storage, heard, key=KEY)
    assert (result.databases, result.unchecked) == (0, 1)
    assert heard.codes == ["DATABASE_NOT_CHECKED"]


def test_a_database_that_needs_what_sqlite_lacks_is_unchecked(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as made, made:
        made.create_collation("ours", lambda a, b: (a > b) - (a < b))
        made.execute("CREATE TABLE t (word TEXT COLLATE ours UNIQUE)")
        made.executemany("INSERT INTO t VALUES (?)", [("a",), ("b",)])
    heard = Heard()
    found = Databases(tmp_path, heard, lambda _: True)
    found.check(b"a.db", path)
    found.demand()
    assert (found.checked, found.unchecked, heard.codes) == (0, 1, ["DATABASE_NOT_CHECKED"])


def test_a_check_of_a_large_database_can_be_stopped(tmp_path: Path) -> None:
    class Stopping(Progress):
        def checkpoint(self) -> None:
            raise JobStopped("The job was cancelled")

    with pytest.raises(JobStopped):
        integrity(database(tmp_path / "a.db", rows=200_000), Stopping())


def test_a_file_that_changed_between_scan_and_reading_is_in_the_index_as_it_was_saved(
    plan: PlanConfig,
) -> None:
    class Meddling(Progress):
        def phase(self, name: str) -> None:
            if name == "archiving":
                (plan.data_dir / "state.json").write_text('{"longer": true}')
                (plan.data_dir / "sub" / "media").chmod(0o600)

    storage = MemoryStorage()
    run_backup(plan, storage, Meddling(), now=NOW)
    assert run_verify(plan, storage, Progress(), key=KEY).indexed
