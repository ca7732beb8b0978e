"""The index of a backup in a real bucket: found, believed only where something vouches for it."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from worker.engine import metadata as metadata_file
from worker.engine.archive import index_keep
from worker.engine.archive.browse import walk
from worker.engine.archive.frames import HEADER_SIZE, parse_header
from worker.engine.archive.index_reader import CACHE, open_index
from worker.engine.backup import BackupResult, run_backup
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import ArchiveError, KeyMismatch
from worker.engine.naming import index_key, metadata_key
from worker.engine.storage.s3 import S3Storage, open_storage

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
PASSPHRASE = "correct horse battery staple, and then some"
BOTH = pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])


@pytest.fixture
def storage(storage_config: StorageConfig) -> S3Storage:
    return open_storage(storage_config)


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    (data / "one" / "deep").mkdir(parents=True)
    (data / "state.json").write_text("{}")
    (data / "one" / "deep" / "key.json").write_bytes(os.urandom(5000))
    (data / "link").symlink_to("state.json")
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp")


def sealed_plan(plan: PlanConfig, sealed: bool = True) -> PlanConfig:
    return dataclasses.replace(plan, encryption_key=PASSPHRASE) if sealed else plan


def backup(plan: PlanConfig, storage: S3Storage, days: int = 0) -> BackupResult:
    """A backup, and no index of the one before left in the cache from comparing with it."""
    made = run_backup(plan, storage, Heard(), now=NOW + timedelta(days=days))
    shutil.rmtree(plan.temp_dir / CACHE, ignore_errors=True)
    return made


def paths(plan: PlanConfig, storage: S3Storage, key: str) -> list[bytes]:
    with open_index(storage, plan, find_backup(storage, plan, key)) as index:
        return [entry.path for entry in walk(index, index.root)]


def code_of(plan: PlanConfig, storage: S3Storage, key: str) -> str:
    with pytest.raises(ArchiveError) as caught:
        paths(plan, storage, key)
    assert not list((plan.temp_dir / CACHE).glob("*")), "nothing of it is kept"
    return caught.value.code


def fetched(storage: S3Storage, key: str) -> bytes:
    return b"".join(storage.get(key))


def change_metadata(storage: S3Storage, key: str, **changes: object) -> None:
    told = metadata_file.load(fetched(storage, metadata_key(key)), key)
    changed = dataclasses.replace(told, **changes)  # type: ignore[arg-type]
    storage.put(metadata_key(key), metadata_file.dump(changed))


@BOTH
def test_the_index_tells_all_paths_in_order(
    plan: PlanConfig, storage: S3Storage, sealed: bool
) -> None:
    plan = sealed_plan(plan, sealed)
    made = backup(plan, storage)
    assert paths(plan, storage, made.key) == [
        b"", b"link", b"one", b"one/deep", b"one/deep/key.json", b"state.json"
    ]  # fmt: skip


@BOTH
def test_it_is_fetched_once(plan: PlanConfig, storage: S3Storage, sealed: bool) -> None:
    plan = sealed_plan(plan, sealed)
    made = backup(plan, storage)
    first = paths(plan, storage, made.key)
    storage.delete(index_key(made.key))
    assert paths(plan, storage, made.key) == first


def test_the_cache_is_for_our_eyes_only(plan: PlanConfig, storage: S3Storage) -> None:
    paths(plan, storage, backup(plan, storage).key)
    (entry,) = (plan.temp_dir / CACHE).iterdir()
    assert entry.stat().st_mode & 0o077 == 0
    assert entry.parent.stat().st_mode & 0o077 == 0


@BOTH
def test_a_missing_index_is_said_as_such(
    plan: PlanConfig, storage: S3Storage, sealed: bool
) -> None:
    plan = sealed_plan(plan, sealed)
    made = backup(plan, storage)
    storage.delete(index_key(made.key))
    assert code_of(plan, storage, made.key) == "INDEX_MISSING"


def test_a_plain_index_that_nothing_vouches_for_counts_as_missing(
    plan: PlanConfig, storage: S3Storage
) -> None:
    made = backup(plan, storage)
    change_metadata(storage, made.key, index_checksum=None)
    assert code_of(plan, storage, made.key) == "INDEX_MISSING"
    storage.delete(metadata_key(made.key))
    assert code_of(plan, storage, made.key) == "INDEX_MISSING"


def test_a_sealed_index_needs_no_metadata(plan: PlanConfig, storage: S3Storage) -> None:
    plan = sealed_plan(plan)
    made = backup(plan, storage)
    storage.delete(metadata_key(made.key))
    assert b"state.json" in paths(plan, storage, made.key)


def test_a_sealed_index_is_not_believed_through_the_metadata(
    plan: PlanConfig, storage: S3Storage
) -> None:
    """Whoever owns the bucket writes the metadata: a plain index must not pass as ours."""
    chosen = sealed_plan(plan)
    made, other = backup(chosen, storage), backup(plan, storage, 1)
    storage.put(index_key(made.key), fetched(storage, index_key(other.key)))
    change_metadata(storage, made.key, index_checksum=other.metadata.index_checksum)
    assert code_of(chosen, storage, made.key) == "INDEX_DAMAGED"


@pytest.mark.parametrize("passphrase", [None, "another key of at least 32 characters"])
def test_a_wrong_or_missing_key_is_said_as_such(
    plan: PlanConfig, storage: S3Storage, passphrase: str | None
) -> None:
    made = backup(sealed_plan(plan), storage)
    with pytest.raises(KeyMismatch):
        paths(dataclasses.replace(plan, encryption_key=passphrase), storage, made.key)


def test_a_previous_key_opens_it(plan: PlanConfig, storage: S3Storage) -> None:
    made = backup(sealed_plan(plan), storage)
    newer = dataclasses.replace(
        plan, encryption_key="another key of at least 32 characters", previous_keys=(PASSPHRASE,)
    )
    assert b"state.json" in paths(newer, storage, made.key)


@BOTH
def test_the_index_of_another_backup_is_refused(
    plan: PlanConfig, storage: S3Storage, sealed: bool
) -> None:
    plan = sealed_plan(plan, sealed)
    made, other = backup(plan, storage), backup(plan, storage, 1)
    storage.put(index_key(made.key), fetched(storage, index_key(other.key)))
    assert code_of(plan, storage, made.key) == "INDEX_FOREIGN"


def test_a_plain_index_of_another_backup_is_refused_with_its_checksum_too(
    plan: PlanConfig, storage: S3Storage
) -> None:
    made, other = backup(plan, storage), backup(plan, storage, 1)
    storage.put(index_key(made.key), fetched(storage, index_key(other.key)))
    change_metadata(storage, made.key, index_checksum=other.metadata.index_checksum)
    assert code_of(plan, storage, made.key) == "INDEX_FOREIGN"


def test_an_archive_under_another_name_is_refused(plan: PlanConfig, storage: S3Storage) -> None:
    plan = sealed_plan(plan)
    made, other = backup(plan, storage), backup(plan, storage, 1)
    for suffix in ("", ".index", ".metadata.json"):
        storage.put(other.key + suffix, fetched(storage, made.key + suffix))
    assert code_of(plan, storage, other.key) == "FRAME_FOREIGN"


@BOTH
def test_every_cut_and_flip_of_the_index_is_found(
    plan: PlanConfig, storage: S3Storage, sealed: bool
) -> None:
    plan = sealed_plan(plan, sealed)
    made = backup(plan, storage)
    whole = fetched(storage, index_key(made.key))
    step = len(whole) // 12
    for at in [0, 7, 8, 63, 64, *range(100, len(whole), step), len(whole) - 1]:
        storage.put(index_key(made.key), whole[:at])
        assert code_of(plan, storage, made.key) in {"INDEX_DAMAGED", "INDEX_FOREIGN"}, at
        flipped = bytearray(whole)
        flipped[at] ^= 1
        storage.put(index_key(made.key), bytes(flipped))
        assert code_of(plan, storage, made.key) in {
            "INDEX_DAMAGED", "INDEX_FOREIGN", "ENCRYPTION_KEY_WRONG", "FORMAT_UNSUPPORTED"
        }, at  # fmt: skip


def test_a_cut_archive_says_that_its_manifest_is_missing(
    plan: PlanConfig, storage: S3Storage
) -> None:
    plan = sealed_plan(plan)
    made = backup(plan, storage)
    storage.put(made.key, fetched(storage, made.key)[:-1])
    assert code_of(plan, storage, made.key) == "MANIFEST_MISSING"


def test_a_segment_in_the_indexs_place_is_refused(plan: PlanConfig, storage: S3Storage) -> None:
    plan = sealed_plan(plan)
    made = backup(plan, storage)
    archive = fetched(storage, made.key)
    first = HEADER_SIZE + parse_header(archive[:HEADER_SIZE]).length
    storage.put(index_key(made.key), archive[:first])
    assert code_of(plan, storage, made.key) == "INDEX_DAMAGED"


HOSTILE = {
    "a view": "CREATE VIEW extra AS SELECT 1",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON info BEGIN SELECT 1; END",
    "another table": "CREATE TABLE extra (x)",
    "a view for a table": "DROP TABLE segments; CREATE VIEW segments AS SELECT 1 AS id",
    "a computed column": "ALTER TABLE files ADD COLUMN c GENERATED ALWAYS AS (abs(-9)) VIRTUAL",
    "a circle of folders": "UPDATE files SET parent = 5 WHERE id = 2",
    "a root elsewhere": "UPDATE files SET parent = 2 WHERE id = 1",
    "a name with a slash": "UPDATE files SET name = CAST('a/b' AS BLOB) WHERE id = 3",
    "a name that climbs": "UPDATE files SET name = CAST('..' AS BLOB) WHERE id = 3",
    "a name as text": "UPDATE files SET name = 'text' WHERE id = 3",
    "an empty name": "UPDATE files SET name = x'' WHERE id = 3",
    "an endless name": "UPDATE files SET name = zeroblob(256) WHERE id = 3",
    "a size as text": "UPDATE files SET size = 'many' WHERE id = 3",
    "a negative size": "UPDATE files SET size = -1 WHERE id = 3",
    "an odd kind": "UPDATE files SET kind = 'x' WHERE id = 3",
    "a mode beyond": "UPDATE files SET mode = 70000 WHERE id = 3",
    "a segment that is not": "UPDATE files SET segment = 99 WHERE id = 3",
    "a start without end": "UPDATE files SET start = 1 << 62 WHERE id = 3",
    "a segment behind the end": "UPDATE segments SET offset = 1 << 60",
    "a segment of nothing": "UPDATE segments SET length = 0",
    "a segment too long": "UPDATE segments SET raw_length = 1 << 40",
    "a hash too short": "UPDATE segments SET sha256 = x'00'",
    "a gap in the segments": "UPDATE segments SET id = 7 WHERE id = 0",
    "no segments": "DELETE FROM segments",
    "no files": "DELETE FROM files",
}


@pytest.mark.parametrize("statement", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_index_with_the_right_checksum_is_refused(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, statement: str
) -> None:
    made = backup(plan, storage)
    replace_index(storage, made.key, tmp_path / "hostile.sqlite3", statement)
    assert code_of(plan, storage, made.key) == "INDEX_DAMAGED"


def test_an_index_of_a_later_format_is_said_as_such(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path
) -> None:
    made = backup(plan, storage)
    statement = "UPDATE info SET value = '2' WHERE key = 'format'"
    replace_index(storage, made.key, tmp_path / "later.sqlite3", statement)
    assert code_of(plan, storage, made.key) == "FORMAT_UNSUPPORTED"


def test_something_else_than_sqlite_is_refused(plan: PlanConfig, storage: S3Storage) -> None:
    made = backup(plan, storage)
    put_index(storage, made.key, b"no database at all" * 1000)
    assert code_of(plan, storage, made.key) == "INDEX_DAMAGED"


def test_a_page_of_rubbish_inside_is_refused(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path
) -> None:
    made = backup(plan, storage)
    raw = bytearray(gzip.decompress(fetched(storage, index_key(made.key))))
    for start in range(8192, len(raw), 8192):
        raw[start : start + 8192] = os.urandom(8192)
    put_index(storage, made.key, bytes(raw))
    assert code_of(plan, storage, made.key) == "INDEX_DAMAGED"


def test_a_cached_index_that_broke_is_dropped_and_fetched_again(
    plan: PlanConfig, storage: S3Storage
) -> None:
    made = backup(plan, storage)
    paths(plan, storage, made.key)
    (entry,) = (plan.temp_dir / CACHE).iterdir()
    entry.write_bytes(b"rubbish" * 1000)
    assert code_of(plan, storage, made.key) == "INDEX_DAMAGED"
    assert b"state.json" in paths(plan, storage, made.key)


def replace_index(storage: S3Storage, key: str, work: Path, statement: str) -> None:
    work.write_bytes(gzip.decompress(fetched(storage, index_key(key))))
    with sqlite3.connect(work) as db:
        db.executescript(statement)
    db.close()
    put_index(storage, key, work.read_bytes())


def put_index(storage: S3Storage, key: str, raw: bytes) -> None:
    """An index of the attacker's own making, with the metadata to match."""
    packed = gzip.compress(raw)
    storage.put(index_key(key), packed)
    checksum = f"sha256:{hashlib.sha256(packed).hexdigest()}"
    change_metadata(storage, key, index_checksum=checksum, index_size=len(packed))


@BOTH
def test_the_index_of_a_backup_is_at_hand_for_the_next_one(
    sealed: bool, plan: PlanConfig, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_keep, "WORTH", 0)
    plan, listed = sealed_plan(plan, sealed), {}
    (plan.data_dir / "media").write_bytes(os.urandom(6 * 1024 * 1024))  # worth being taken over
    for day in range(3):
        (plan.data_dir / f"new-{day}").write_text("new")
        made = run_backup(plan, storage, Heard(), now=NOW + timedelta(days=day))
        (entry,) = (plan.temp_dir / CACHE).iterdir()  # in the place of the last one
        assert entry.stat().st_mode & 0o777 == 0o600
        kept = content(entry)
        listed[made.key] = paths(plan, storage, made.key)
        shutil.rmtree(plan.temp_dir / CACHE)
        assert paths(plan, storage, made.key) == listed[made.key]
        (fetched,) = (plan.temp_dir / CACHE).iterdir()
        assert content(fetched) == kept


def content(index: Path) -> list[str]:
    """All that a SQLite file says."""
    with closing(sqlite3.connect(f"file:{index}?immutable=1", uri=True)) as db:
        return list(db.iterdump())


def test_a_backup_that_cannot_keep_its_index_is_made_all_the_same(
    plan: PlanConfig, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_keep, "WORTH", 0)
    plan.temp_dir.mkdir()
    (plan.temp_dir / CACHE).write_text("a file, where the folder should be")
    first = run_backup(plan, storage, Heard(), now=NOW)
    (plan.temp_dir / CACHE).unlink()
    assert b"state.json" in paths(plan, storage, first.key)


def test_a_small_index_is_not_worth_keeping(plan: PlanConfig, storage: S3Storage) -> None:
    run_backup(plan, storage, Heard(), now=NOW)
    assert not (plan.temp_dir / CACHE).exists()
