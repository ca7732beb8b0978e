"""Restoring a part of a backup in a real bucket: in place, and into another folder."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.packing import Heard
from tests.engine.trees import describe
from tests.faults.test_odd_files import deep_leaf, make_deep
from tests.support.memory_storage import MemoryStorage
from worker.engine.backup import run_backup
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import ArchiveError, KeyMismatch, TargetError
from worker.engine.naming import archive_key, index_key
from worker.engine.preview_restore import preview_restore
from worker.engine.progress import Progress
from worker.engine.restore_part import run_restore_part
from worker.engine.restore_to import run_restore_to
from worker.engine.storage import Storage
from worker.engine.storage.s3 import S3Storage, open_storage
from worker.engine.swap.site import look, sites_of
from worker.engine.swap.units import LIST

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
PASSPHRASE = "correct horse battery staple, and then some"
MIB = 1024 * 1024
CONTENTS = {
    "state.json": b'{"n": 1}' * 1000,
    "one/small.txt": b"small",
    "one/large.bin": os.urandom(3 * MIB + 12345),
    "one/deep/slice.bin": os.urandom(MIB),
    "two/other.txt": b"other",
    "two/state.json": b"{}",
}
WAYS = pytest.mark.parametrize(
    ("sealed", "indexed"),
    [(False, True), (True, True), (False, False), (True, False)],
    ids=["plain", "sealed", "plain, no index", "sealed, no index"],
)


@pytest.fixture
def storage(storage_config: StorageConfig) -> S3Storage:
    return open_storage(storage_config)


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    data = tmp_path / "data"
    for name, content in CONTENTS.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(content)
    (data / "two" / "hard.txt").hardlink_to(data / "one" / "small.txt")
    (data / "one" / "link").symlink_to("small.txt")
    os.chmod(data / "one" / "deep", 0o750)
    with closing(sqlite3.connect(data / "app.db")) as db:
        db.execute("CREATE TABLE words (word)")
        db.execute("INSERT INTO words VALUES ('saved')")
        db.commit()
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", segment_size=MIB)


class Way:
    """A backup made one way, and what its data folder was like."""

    def __init__(self, plan: PlanConfig, storage: Storage, sealed: bool, indexed: bool) -> None:
        self.plan = dataclasses.replace(plan, encryption_key=PASSPHRASE) if sealed else plan
        self.storage, self.live, self.heard = storage, plan.data_dir, Heard()
        self.saved = describe(self.live)
        self.key = run_backup(self.plan, storage, Heard(), now=NOW).key
        if not indexed:
            storage.delete(index_key(self.key))

    def restore(self, *words: str):
        return run_restore_part(
            self.plan, self.storage, self.heard, key=self.key, words=words, now=LATER
        )

    def restore_to(self, target: Path, *words: str):
        return run_restore_to(
            self.plan, self.storage, self.heard, key=self.key, target=target, words=words
        )

    def code(self, call) -> str:
        with pytest.raises((ArchiveError, TargetError)) as caught:
            call()
        return caught.value.code


def spoil(live: Path) -> None:
    """Everything is changed, some is gone, some is new."""
    for file in [path for path in live.rglob("*") if path.is_file() and not path.is_symlink()]:
        if file.name != "hard.txt":
            file.write_bytes(b"spoilt " + file.name.encode())
    (live / "one" / "new.txt").write_text("new")
    (live / "new.txt").write_text("new")
    shutil.rmtree(live / "one" / "deep")


def below(path: bytes, *tops: bytes) -> bool:
    return any(path == top or path.startswith(top + b"/") for top in tops)


def visible(live: Path, times: bool = False) -> dict[bytes, tuple[object, ...]]:
    """Times of folders change with what is put into them, so they count only when asked for."""
    return {
        path: looks if times or looks[3] else (looks[0], looks[1], 0, looks[3])
        for path, looks in describe(live).items()
    }


@WAYS
def test_a_file_comes_back_and_nothing_else_changes(
    plan: PlanConfig, storage: S3Storage, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    spoil(way.live)
    before = visible(way.live)
    done = way.restore("state.json")
    after = describe(way.live)
    assert after.pop(b"state.json") == way.saved[b"state.json"]
    before.pop(b"state.json")
    assert {path: looks for path, looks in visible(way.live).items() if path in after} == before
    assert (done.files, done.bytes, done.mode) == (1, len(CONTENTS["state.json"]), "parts")
    assert (done.safety_copy / "state.json").read_bytes() == b"spoilt state.json"


@WAYS
def test_a_folder_comes_back_as_a_whole(
    plan: PlanConfig, storage: S3Storage, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    spoil(way.live)
    done = way.restore("one")
    got = {path: looks for path, looks in describe(way.live).items() if below(path, b"one")}
    assert got == {path: looks for path, looks in way.saved.items() if below(path, b"one")}
    assert (done.safety_copy / "one" / "new.txt").read_text() == "new"
    assert (way.live / "new.txt").exists()
    assert (way.live / "state.json").read_bytes() == b"spoilt state.json"


@WAYS
def test_a_pattern_brings_back_what_it_matches_and_removes_nothing(
    plan: PlanConfig, storage: S3Storage, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    spoil(way.live)
    (way.live / "mine.json").write_text("mine")
    way.restore("*.json")
    after = describe(way.live)
    for path in (b"state.json", b"two/state.json"):
        assert after[path] == way.saved[path]
    assert (way.live / "mine.json").read_text() == "mine"
    assert (way.live / "two/other.txt").read_bytes() == b"spoilt other.txt"


@WAYS
def test_an_entry_out_of_a_list_is_exactly_that_one(
    plan: PlanConfig, storage: S3Storage, sealed: bool, indexed: bool
) -> None:
    names = [b"notes[ab].txt", b"notesa.txt", b"notesb.txt", b"bad-\xff*"]
    for name in names:
        Path(os.fsdecode(os.fsencode(plan.data_dir) + b"/" + name)).write_text("saved")
    way = Way(plan, storage, sealed, indexed)
    for name in names:
        Path(os.fsdecode(os.fsencode(plan.data_dir) + b"/" + name)).write_text("later")
    run_restore_part(
        way.plan, storage, way.heard, key=way.key, entries=[names[0], names[3]], now=LATER
    )
    found = {
        name: Path(os.fsdecode(os.fsencode(way.live) + b"/" + name)).read_text() for name in names
    }
    assert found == dict(zip(names, ["saved", "later", "later", "saved"], strict=True))


@WAYS
def test_folders_that_are_gone_come_back_with_their_modes(
    plan: PlanConfig, storage: S3Storage, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    shutil.rmtree(way.live)
    way.restore("one/deep/slice.bin", "two/hard.txt")
    after = describe(way.live)
    assert set(after) == {b"one", b"one/deep", b"one/deep/slice.bin", b"two", b"two/hard.txt"}
    assert after[b"one/deep"][1] == 0o750
    assert after[b"two/hard.txt"] == way.saved[b"two/hard.txt"]


@WAYS
def test_a_database_never_meets_the_log_of_another(
    plan: PlanConfig, storage: S3Storage, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    with closing(sqlite3.connect(way.live / "app.db")) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("INSERT INTO words VALUES ('later')")
        db.commit()
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute("INSERT INTO words VALUES ('only in the log')")
        db.commit()
        done = way.restore("app.db")
    assert not list(way.live.glob("app.db-*"))
    assert (done.safety_copy / "app.db-wal").exists()
    with closing(sqlite3.connect(way.live / "app.db")) as db:
        assert db.execute("SELECT word FROM words").fetchall() == [("saved",)]
    with closing(sqlite3.connect(done.safety_copy / "app.db")) as db:
        assert len(db.execute("SELECT word FROM words").fetchall()) == 3


@WAYS
def test_into_another_folder_the_live_one_is_not_touched(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    spoil(way.live)
    before = describe(way.live)
    done = way.restore_to(tmp_path / "new" / "below", "one/deep", "state.json")
    got = describe(tmp_path / "new" / "below")
    assert set(got) == {b"state.json", b"one", b"one/deep", b"one/deep/slice.bin"}
    assert all(got[path] == way.saved[path] for path in got if path != b"one")
    assert describe(way.live) == before
    assert done.target == tmp_path / "new" / "below"


@WAYS
def test_all_of_it_into_an_empty_folder_that_is_there(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    (tmp_path / "out").mkdir()
    way.restore_to(tmp_path / "out")
    assert describe(tmp_path / "out") == way.saved


@WAYS
def test_a_path_that_is_not_in_the_backup_changes_nothing(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    spoil(way.live)
    before = describe(way.live)
    assert way.code(lambda: way.restore("state.json", "nothing")) == "PATH_NOT_FOUND"
    assert way.code(lambda: way.restore_to(tmp_path / "out", "nothing")) == "PATH_NOT_FOUND"
    assert describe(way.live) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [".tarkeep-data.lock", "data", "temp"]


def test_a_damaged_archive_changes_nothing(plan: PlanConfig, storage: S3Storage) -> None:
    way = Way(plan, storage, sealed=True, indexed=True)
    archive = bytearray(b"".join(storage.get(way.key)))
    archive[len(archive) // 3] ^= 1
    storage.put(way.key, bytes(archive))
    spoil(way.live)
    before = describe(way.live)
    assert way.code(lambda: way.restore("one", "two", "state.json")) == "ARCHIVE_DAMAGED"
    assert describe(way.live) == before


def test_a_wrong_key_changes_nothing(plan: PlanConfig, storage: S3Storage) -> None:
    way = Way(plan, storage, sealed=True, indexed=True)
    way.plan = dataclasses.replace(way.plan, encryption_key="another key of at least 32 characters")
    with pytest.raises(KeyMismatch):
        way.restore("state.json")
    assert describe(way.live) == way.saved


@pytest.mark.parametrize("inside", [".", "sub", "one"])
def test_a_target_in_the_data_folder_is_refused(
    inside: str, plan: PlanConfig, storage: S3Storage
) -> None:
    way = Way(plan, storage, sealed=False, indexed=True)
    assert way.code(lambda: way.restore_to(way.live / inside, "state.json")) == "TARGET_INSIDE_DATA"
    assert describe(way.live) == way.saved


def test_a_link_into_the_data_folder_is_refused_as_target(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path
) -> None:
    way = Way(plan, storage, sealed=False, indexed=True)
    (tmp_path / "link").symlink_to(way.live)
    target = tmp_path / "link" / "sub"
    assert way.code(lambda: way.restore_to(target, "state.json")) == "TARGET_INSIDE_DATA"


@pytest.mark.parametrize("what", ["file", "full"])
def test_a_target_that_holds_something_is_refused(
    what: str, plan: PlanConfig, storage: S3Storage, tmp_path: Path
) -> None:
    way = Way(plan, storage, sealed=False, indexed=True)
    target = tmp_path / "out"
    if what == "file":
        target.write_text("mine")
    else:
        (target / "sub").mkdir(parents=True)
    assert way.code(lambda: way.restore_to(target, "state.json")) == "TARGET_EXISTS"
    assert way.restore_to(tmp_path / "other" / "new", "state.json").files == 1


def test_an_archive_of_plain_tar_is_restored_in_part_too(
    plan: PlanConfig, storage: S3Storage
) -> None:
    made = subprocess.run(
        ["tar", "czf", "-", "--transform", "s,^,data/,", "one", "two", "state.json"],
        cwd=plan.data_dir, capture_output=True, check=True,
    ).stdout  # fmt: skip
    key = archive_key(plan, NOW)
    storage.put(key, made)
    shutil.rmtree(plan.data_dir / "one")
    run_restore_part(plan, storage, Progress(), key=key, words=["one/deep", "two/*.txt"], now=LATER)
    assert (plan.data_dir / "one/deep/slice.bin").read_bytes() == CONTENTS["one/deep/slice.bin"]
    assert not (plan.data_dir / "one/small.txt").exists()
    assert (plan.data_dir / "one/deep").stat().st_mode & 0o777 == 0o750


def test_the_whole_data_folder_named_is_a_whole_restore(
    plan: PlanConfig, storage: S3Storage
) -> None:
    way = Way(plan, storage, sealed=False, indexed=True)
    spoil(way.live)
    done = way.restore("/")
    assert describe(way.live) == way.saved
    assert done.mode == "exchange"
    assert not (done.safety_copy / LIST).exists()


FILES = ["a", "b", "sub/a", "sub/b", "sub/in/c", "x.txt", "sub/y.txt", "empty/e"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_subset_comes_back_exactly_and_the_rest_stays(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root, storage = tmp_path_factory.mktemp("subset"), MemoryStorage()
    live = root / "data"
    saved = data.draw(st.sets(st.sampled_from(FILES), min_size=1))
    present = data.draw(st.sets(st.sampled_from(FILES)))
    words = data.draw(st.sets(st.sampled_from(sorted(tops(saved))), min_size=1, max_size=3))
    plan = PlanConfig(data_dir=live, temp_dir=root / "temp")
    write_all(live, saved, "saved")
    run_backup(plan, storage, Progress(), now=NOW)
    shutil.rmtree(live)
    write_all(live, present, "live")
    run_restore_part(plan, storage, Progress(), key="latest", words=sorted(words), now=LATER)
    named = {name for name in FILES if any(name == w or name.startswith(w + "/") for w in words)}
    expected = dict.fromkeys(present - named, "live") | dict.fromkeys(saved & named, "saved")
    found = {
        str(path.relative_to(live)): path.read_text() for path in live.rglob("*") if path.is_file()
    }
    assert found == expected
    assert not any(site.leftovers() or site.journal.exists() for site in sites_of(live))
    assert look(live).live == live


def tops(names: set[str]) -> set[str]:
    """The files and every folder above them."""
    return names | {str(above) for name in names for above in Path(name).parents} - {"."}


def write_all(folder: Path, names: set[str], word: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(word)


@WAYS
def test_very_long_paths_come_back_in_part_too(
    plan: PlanConfig, storage: S3Storage, sealed: bool, indexed: bool
) -> None:
    name = "d" * 60
    way = Way(plan, storage, sealed, indexed)
    make_deep(plan.data_dir / "two", 100, name)  # 6,100 bytes
    way.key = run_backup(way.plan, storage, Heard(), now=NOW + timedelta(hours=1)).key
    if not indexed:
        storage.delete(index_key(way.key))
    shutil.rmtree(plan.data_dir / "two")
    done = way.restore("/".join(["two", *[name] * 100, "leaf"]))
    assert deep_leaf(plan.data_dir / "two", 100, name)
    assert done.files == 1
    backup = find_backup(storage, way.plan, way.key)
    with preview_restore(way.plan, storage, Heard(), backup=backup, words=["two"]) as seen:
        effects = [effect.what for effect in seen.effects]
    assert effects.count("unchanged") == 102
    shutil.rmtree(plan.data_dir / "two")
