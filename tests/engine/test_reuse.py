"""Backups that take over from the last one what did not change."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.packing import Heard
from tests.engine.trees import describe
from tests.support.memory_storage import MemoryStorage, MemoryUpload
from worker.engine.archive.index_reader import open_index
from worker.engine.backup import BackupResult, run_backup
from worker.engine.capture.sizes import Sizes
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig, ReuseConfig
from worker.engine.errors import ArchiveError, StorageError
from worker.engine.restore_to import run_restore_to
from worker.engine.retention import Held
from worker.engine.storage import Part
from worker.engine.verify import run_verify

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PASSPHRASE = "correct horse battery staple, and then some"
# Every change in these tests leaves another time, so nothing has to rest before it is trusted.
AT_ONCE = ReuseConfig(full_every=1000, least_copy=200, settled=-(10**18))
_ticks = count(1_700_000_000_000_000_000, 1_000_003)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    tick = next(_ticks)
    os.utime(path, ns=(tick, tick))


def make_plan(folder: Path, *, key: str | None = None, segment_size: int = 2048) -> PlanConfig:
    data = folder / "data"
    data.mkdir()
    return PlanConfig(
        data_dir=data,
        temp_dir=folder / "temp",
        encryption_key=key,
        max_backups=1000,
        segment_size=segment_size,
        reuse=AT_ONCE,
    )


@pytest.fixture(scope="module", autouse=True)
def short_segments() -> Iterator[None]:
    """Of 2 KiB each, so that small trees have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.engine.capture.run.sizes", lambda *_: Sizes(2048, 2048, 2048))
        yield


@pytest.fixture(params=[None, PASSPHRASE], ids=["plain", "encrypted"])
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> PlanConfig:
    plan = make_plan(tmp_path, key=request.param)
    for number in range(40):
        write(plan.data_dir / f"folder-{number % 3}" / f"file-{number}", os.urandom(300))
    write(plan.data_dir / "large.bin", os.urandom(9000))
    (plan.data_dir / "link").symlink_to("large.bin")
    return plan


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


def backup(
    plan: PlanConfig, storage: MemoryStorage, day: int, heard: Heard | None = None
) -> BackupResult:
    return run_backup(plan, storage, heard or Heard(), now=NOW + timedelta(days=day))


def restored(plan: PlanConfig, storage: MemoryStorage, key: str) -> dict[bytes, tuple[object, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        run_restore_to(plan, storage, Heard(), key=key, target=Path(folder) / "out")
        return describe(Path(folder) / "out")


def untarred(archive: bytes) -> dict[bytes, tuple[object, ...]]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "xzf", "-", "-C", folder], input=archive, check=True)
        return describe(Path(folder) / "data")


def test_the_next_backup_reads_and_sends_only_what_changed(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    first = backup(plan, storage, 0)
    write(plan.data_dir / "folder-1" / "new", b"new")
    second = backup(plan, storage, 1)
    assert (first.bytes_copied, first.metadata.generation) == (0, 0)
    assert first.metadata.full_reason == "NO_BASE"
    assert second.bytes_copied > first.size * 0.7
    assert second.bytes_read < 1000
    assert second.metadata.base == Path(first.key).name
    assert second.metadata.generation == 1
    assert second.checksum.startswith("sha256-tree:")
    assert restored(plan, storage, second.key) == describe(plan.data_dir)


def test_the_first_can_be_deleted_and_the_second_verified(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    first = backup(plan, storage, 0)
    second = backup(plan, storage, 1)
    for key in list(storage.objects):
        if key.startswith(first.key):
            storage.delete(key)
    checked = run_verify(plan, storage, Heard(), key=second.key)
    assert checked.indexed
    assert checked.segments == second.metadata.segment_count
    assert restored(plan, storage, second.key) == describe(plan.data_dir)


def test_damage_in_what_was_copied_is_found_and_all_is_packed_anew(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    first = backup(plan, storage, 0)
    content, found = storage.objects[first.key]
    rotten = bytearray(content)
    with open_index(storage, plan, find_backup(storage, plan, first.key)) as index:
        for offset, length in index.query("SELECT offset, length FROM segments"):
            rotten[offset + length // 2] ^= 1
    storage.objects[first.key] = (bytes(rotten), found)
    heard = Heard()
    second = backup(plan, storage, 1, heard)
    assert heard.codes == ["COPY_DAMAGED"]
    assert (second.bytes_copied, second.metadata.full_reason) == (0, "COPY_DAMAGED")
    assert run_verify(plan, storage, Heard(), key=second.key).indexed
    assert restored(plan, storage, second.key) == describe(plan.data_dir)


def test_a_damaged_copied_segment_does_not_verify(plan: PlanConfig, storage: MemoryStorage) -> None:
    backup(plan, storage, 0)
    second = backup(plan, storage, 1)
    content, found = storage.objects[second.key]
    broken = bytearray(content)
    broken[second.bytes_copied // 2] ^= 1
    storage.objects[second.key] = (bytes(broken), found)
    with pytest.raises(ArchiveError):
        run_verify(plan, storage, Heard(), key=second.key)


def test_swapped_segments_of_a_plain_archive_do_not_fit_its_checksum(
    tmp_path: Path, storage: MemoryStorage
) -> None:
    plan = make_plan(tmp_path)
    for number in range(20):
        write(plan.data_dir / f"file-{number:02}", os.urandom(100))
    backup(plan, storage, 0)
    second = backup(plan, storage, 1)
    with open_index(storage, plan, find_backup(storage, plan, second.key)) as index:
        (_, first, *_), (_, start, length, *_) = index.query("SELECT * FROM segments").fetchmany(2)
    content, found = storage.objects[second.key]
    swapped = content[start : start + length] + content[first:start] + content[start + length :]
    storage.objects[second.key] = (swapped, found)
    with pytest.raises(ArchiveError) as raised:
        restored(plan, storage, second.key)
    assert raised.value.code == "ARCHIVE_CHECKSUM"


class Refusing(MemoryStorage):
    """A server that cannot copy ranges, or one that finds fault with the parts in the end."""

    def __init__(self, *, late: bool) -> None:
        super().__init__()
        self.late = late
        self.upload: type[MemoryUpload] = RefusingUpload

    def start_upload(
        self, key: str, *, metadata: dict[str, str] | None = None, **_: Any
    ) -> MemoryUpload:
        upload = self.upload(self, key, f"upload-{next(self._numbers)}", metadata or {})
        self.uploads_open[upload.upload_id] = upload
        return upload


class RefusingUpload(MemoryUpload):
    copied = False

    def copy_part(self, number: int, source: str, *, etag: str, first: int, last: int) -> Part:
        assert isinstance(self.storage, Refusing)
        if not self.storage.late:
            raise StorageError("cannot copy", code="STORAGE_NO_RANGE_COPY")
        self.copied = True
        return super().copy_part(number, source, etag=etag, first=first, last=last)

    def complete(self):  # type: ignore[no-untyped-def]
        if self.copied:
            raise StorageError("All parts but the last must have one size")
        return super().complete()


class Stumbling(MemoryUpload):
    def copy_part(self, number: int, source: str, *, etag: str, first: int, last: int) -> Part:
        raise StorageError("internal error")


def test_a_server_that_fails_at_copying_gets_a_full_upload_and_is_asked_again_next_time(
    plan: PlanConfig,
) -> None:
    storage, heard = Refusing(late=False), Heard()
    storage.upload = Stumbling
    backup(plan, storage, 0)
    second = backup(plan, storage, 1, heard)
    assert heard.codes == ["COPY_FAILED"]
    assert second.bytes_copied == 0
    storage.upload = MemoryUpload
    third = backup(plan, storage, 2)
    assert third.bytes_copied > 0
    assert restored(plan, storage, third.key) == describe(plan.data_dir)


@pytest.mark.parametrize("late", [False, True])
def test_a_server_that_refuses_copies_gets_a_full_upload_in_the_same_run(
    plan: PlanConfig, *, late: bool
) -> None:
    storage, heard = Refusing(late=late), Heard()
    backup(plan, storage, 0)
    second = backup(plan, storage, 1, heard)
    assert heard.codes == ["COPY_REFUSED"]
    assert (second.bytes_copied, second.warnings) == (0, 1)
    assert not storage.uploads_open
    assert restored(plan, storage, second.key) == describe(plan.data_dir)


def test_a_server_that_cannot_copy_is_asked_again_only_when_a_full_backup_was_due(
    plan: PlanConfig,
) -> None:
    plan = dataclasses.replace(plan, reuse=dataclasses.replace(AT_ONCE, full_every=3))
    storage, told = Refusing(late=False), []
    for day in range(6):
        heard = Heard()
        backup(plan, storage, day, heard)
        told.append(heard.codes)
    refused = ["COPY_REFUSED"]
    assert told == [[], refused, [], [], [], refused]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"compression_level": 1}, "BASE_DIFFERS"),
        ({"segment_size": 4096}, "BASE_DIFFERS"),
        ({"encryption_key": PASSPHRASE[::-1]}, "BASE_DIFFERS"),
        ({"reuse": dataclasses.replace(AT_ONCE, full_every=1)}, "FULL_DUE"),
        ({"reuse": dataclasses.replace(AT_ONCE, full_every=2)}, None),
        ({"reuse": ReuseConfig()}, "TOO_LITTLE"),
    ],
)
def test_what_was_made_otherwise_is_not_taken_over(
    plan: PlanConfig, storage: MemoryStorage, change: dict[str, object], reason: str | None
) -> None:
    backup(plan, storage, 0)
    if "encryption_key" in change and plan.encryption_key:
        change = {**change, "previous_keys": (plan.encryption_key,)}
    changed = dataclasses.replace(plan, **change)  # type: ignore[arg-type]
    assert backup(changed, storage, 1).metadata.full_reason == reason
    assert restored(changed, storage, "latest") == describe(plan.data_dir)


def test_every_so_many_backups_all_is_packed_anew(plan: PlanConfig, storage: MemoryStorage) -> None:
    plan = dataclasses.replace(plan, reuse=dataclasses.replace(AT_ONCE, full_every=3))
    made = [backup(plan, storage, day).metadata for day in range(7)]
    assert [one.generation for one in made] == [0, 1, 2, 0, 1, 2, 0]


def test_nothing_is_taken_over_from_a_damaged_backup(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    first = backup(plan, storage, 0)
    held = Held(damaged=frozenset({first.key}))
    made = run_backup(plan, storage, Heard(), now=NOW + timedelta(days=1), held=held)
    assert made.metadata.full_reason == "BASE_DAMAGED"


@pytest.mark.parametrize("suffix", ["", ".index"])
def test_a_base_that_cannot_be_read_means_a_full_backup(
    plan: PlanConfig, storage: MemoryStorage, suffix: str
) -> None:
    first = backup(plan, storage, 0)
    content, found = storage.objects[first.key + suffix]
    storage.objects[first.key + suffix] = (content[: len(content) // 2], found)
    shutil.rmtree(plan.temp_dir)
    if not suffix:
        found = dataclasses.replace(found, size=len(content) // 2)
        storage.objects[first.key] = (content[: len(content) // 2], found)
    second = backup(plan, storage, 1)
    assert second.metadata.full_reason == "BASE_UNREADABLE"
    assert restored(plan, storage, second.key) == describe(plan.data_dir)


EXCLUSIVE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "wal_autocheckpoint=0"):
    db.execute(f"PRAGMA {pragma}")
db.execute("CREATE TABLE t (a)")
db.execute("INSERT INTO t VALUES (?)", ("x" * 20_000,))
print("ready", flush=True)
sys.stdin.read()
"""


def test_the_log_of_a_database_that_was_saved_as_files_does_not_stay_beside_a_captured_one(
    tmp_path: Path, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.engine.capture.sqlite_capture._BUSY_SECONDS", 0.1)
    plan, heard = make_plan(tmp_path), Heard()
    write(plan.data_dir / "steady.bin", os.urandom(9000))
    argv = [sys.executable, "-c", EXCLUSIVE, str(plan.data_dir / "chat.db")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(argv, **pipes) as alone:  # type: ignore[call-overload]
        assert alone.stdout.readline() == b"ready\n"
        first = backup(plan, storage, 0, heard)
        alone.kill()
    second = backup(plan, storage, 1, heard)
    assert heard.codes == ["SQLITE_COPIED_AS_FILE"]
    assert second.bytes_copied
    keys = (first.key, second.key)
    assert [b"chat.db-wal" in restored(plan, storage, key) for key in keys] == [True, False]


def test_hard_links_stay_links_whatever_changes_beside_them(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    os.link(plan.data_dir / "folder-0" / "file-0", plan.data_dir / "again")
    backup(plan, storage, 0)
    write(plan.data_dir / "folder-0" / "file-3", b"other")
    second = backup(plan, storage, 1)
    assert second.bytes_copied
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        run_restore_to(plan, storage, Heard(), key=second.key, target=out)
        assert (out / "again").samefile(out / "folder-0" / "file-0")
        assert describe(out) == describe(plan.data_dir)


Edit = tuple[str, str, str, int]
names = st.sampled_from([f"{a}/{b}" for a in "pqr" for b in "abcd"] + ["x", "y"])
edits = st.lists(
    st.tuples(
        st.sampled_from(["write", "append", "remove", "rename", "chmod", "link", "symlink"]),
        names,
        names,
        st.sampled_from([0, 1, 100, 511, 512, 513, 1500, 2048, 5000, 9000]),
    ),
    max_size=6,
)


def edit(root: Path, what: str, one: str, other: str, size: int) -> None:
    path, second = root / one, root / other
    there = path.is_file() and not path.is_symlink()
    if what == "write":
        path.unlink(missing_ok=True)
        write(path, os.urandom(size))
    elif what == "append" and there:
        write(path, path.read_bytes() + os.urandom(size))
    elif what == "remove":
        path.unlink(missing_ok=True)
    elif what == "rename" and os.path.lexists(path):
        second.parent.mkdir(exist_ok=True)
        path.rename(second)
    elif what == "chmod" and there:
        path.chmod(0o600 + size % 64)
    elif what == "link" and there and not os.path.lexists(second):
        second.parent.mkdir(exist_ok=True)
        os.link(path, second)
    elif what == "symlink" and not os.path.lexists(path):
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(other)


# Bytes that a part must have: less than a segment, some segments, most of what there is.
leasts = st.sampled_from([200, 3000, 9000])


@settings(max_examples=40, deadline=None)
@given(history=st.lists(edits, min_size=2, max_size=10), least=leasts, joins=st.booleans())
def test_each_backup_of_any_history_holds_its_own_time_and_needs_no_other(
    history: list[list[Edit]], least: int, *, joins: bool
) -> None:
    live_through(history, ReuseConfig(1000, 3, joins, least, settled=-(10**18)), encrypted=False)


@settings(max_examples=4, deadline=None)  # each derives keys by the dozen
@given(history=st.lists(edits, min_size=2, max_size=4), least=leasts)
def test_so_does_each_encrypted_backup(history: list[list[Edit]], least: int) -> None:
    live_through(history, ReuseConfig(1000, 3, True, least, settled=-(10**18)), encrypted=True)


def live_through(history: list[list[Edit]], reuse: ReuseConfig, *, encrypted: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(Path(folder), key=PASSPHRASE if encrypted else None)
        plan = dataclasses.replace(plan, reuse=reuse)
        storage, taken = MemoryStorage(least_part=reuse.least_copy), []
        for number in range(12):
            write(plan.data_dir / f"s/{number}", os.urandom(200 + 150 * number))
        for day, edits in enumerate(history):
            for one in edits:
                edit(plan.data_dir, *one)
            made = backup(plan, storage, day)
            taken.append((made.key, describe(plan.data_dir)))
        objects = dict(storage.objects)
        for key, tree in taken:
            storage.objects = {k: v for k, v in objects.items() if k.startswith(key)}
            assert run_verify(plan, storage, Heard(), key=key).indexed
            if encrypted:
                assert restored(plan, storage, key) == tree
            else:
                assert untarred(storage.objects[key][0]) == tree
                with tarfile.open(fileobj=io.BytesIO(storage.objects[key][0])) as tar:
                    names = tar.getnames()
                assert len(names) == len(set(names))
