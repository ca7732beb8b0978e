"""One file or folder out of a backup in a real bucket, with and without its index."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.engine.counting_storage import CountingStorage
from tests.engine.packing import Heard
from tests.engine.trees import describe
from worker.engine.archive.fetch import open_file, open_tar, save
from worker.engine.backup import run_backup
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import ArchiveError, KeyMismatch, TargetError
from worker.engine.extract.extract import ExtractResult
from worker.engine.naming import archive_key, index_key
from worker.engine.progress import Progress
from worker.engine.storage.s3 import S3Storage, open_storage

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
PASSPHRASE = "correct horse battery staple, and then some"
MIB = 1024 * 1024
CONTENTS = {
    "state.json": b'{"n": 1}' * 1000,
    "empty": b"",
    "one/small.txt": b"small",
    "one/random.bin": os.urandom(100 * 1024),
    "one/deep/slice.bin": os.urandom(MIB),
    "one/large.bin": os.urandom(5 * MIB + 12345),
    "one/zeros.bin": bytes(3 * MIB),
    "one/" + "long" * 40 + ".txt": b"a pax header before it",
    "two/other.txt": b"other",
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
    (data / "hard.txt").hardlink_to(data / "one" / "small.txt")
    (data / "one" / "link").symlink_to("small.txt")
    (data / "one" / "bare").mkdir(mode=0o750)
    os.chmod(data / "state.json", 0o600)
    os.utime(data / "state.json", ns=(0, 1_700_000_000_123_456_789))
    return PlanConfig(data_dir=data, temp_dir=tmp_path / "temp", segment_size=MIB)


class Way:
    """A backup made one way, and the calls to get something out of it."""

    def __init__(self, plan: PlanConfig, storage: S3Storage, sealed: bool, indexed: bool) -> None:
        self.plan = dataclasses.replace(plan, encryption_key=PASSPHRASE) if sealed else plan
        self.storage = CountingStorage(storage)
        self.made = run_backup(self.plan, storage, Heard(), now=NOW)
        if not indexed:
            storage.delete(index_key(self.made.key))

    def read(self, path: str, progress: Progress | None = None) -> bytes:
        backup = find_backup(self.storage, self.plan, self.made.key)
        with open_file(
            self.storage, self.plan, backup, os.fsencode(path), progress or Heard()
        ) as found:
            content = b"".join(found.chunks)
            assert len(content) == found.size
            return content

    def save(self, path: str, target: Path) -> ExtractResult:
        backup = find_backup(self.storage, self.plan, self.made.key)
        return save(self.storage, self.plan, backup, os.fsencode(path), target, Heard())

    def code(self, call: Callable[[], object]) -> str:
        with pytest.raises((ArchiveError, TargetError)) as caught:
            call()
        return caught.value.code


@WAYS
def test_every_file_comes_back_as_it_was(
    plan: PlanConfig, storage: S3Storage, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    for name, content in CONTENTS.items():
        assert way.read(name) == content, name
    assert way.read("hard.txt") == b"small"


@WAYS
def test_a_folder_comes_back_as_it_was(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    way.save("one", tmp_path / "out")
    assert describe(tmp_path / "out") == describe(plan.data_dir / "one")
    assert os.lstat(tmp_path / "out").st_mtime_ns == os.lstat(plan.data_dir / "one").st_mtime_ns


@WAYS
def test_the_whole_data_folder_comes_back_as_it_was(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, sealed: bool, indexed: bool
) -> None:
    Way(plan, storage, sealed, indexed).save("", tmp_path / "out")
    assert describe(tmp_path / "out") == describe(plan.data_dir)
    assert (tmp_path / "out/hard.txt").stat().st_nlink == 2


@WAYS
def test_a_file_is_saved_with_its_mode_and_time(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    way.save("state.json", tmp_path / "out")
    info = (tmp_path / "out").stat()
    assert (tmp_path / "out").read_bytes() == CONTENTS["state.json"]
    assert (info.st_mode & 0o777, info.st_mtime_ns) == (0o600, 1_700_000_000_123_456_789)


@WAYS
def test_a_link_and_an_empty_folder_are_saved_too(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    way.save("one/link", tmp_path / "link")
    way.save("one/bare", tmp_path / "bare")
    assert os.readlink(tmp_path / "link") == "small.txt"
    assert list((tmp_path / "bare").iterdir()) == []
    assert (tmp_path / "bare").stat().st_mode & 0o777 == 0o750


@WAYS
def test_hard_links_whose_first_name_is_elsewhere_become_files(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, sealed: bool, indexed: bool
) -> None:
    first = plan.data_dir / "one" / "small.txt"
    for name in ("again.txt", "once more.txt"):
        (plan.data_dir / "two" / name).hardlink_to(first)
    way = Way(plan, storage, sealed, indexed)
    way.save("two", tmp_path / "out")
    assert describe(tmp_path / "out") == describe(plan.data_dir / "two")
    assert (tmp_path / "out/again.txt").stat().st_nlink == 2
    way.save("two/again.txt", tmp_path / "single")
    assert (tmp_path / "single").read_bytes() == b"small"


@WAYS
def test_a_folder_can_be_streamed_as_tar(
    plan: PlanConfig, storage: S3Storage, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    backup = find_backup(storage, way.plan, way.made.key)
    with open_tar(storage, way.plan, backup, b"one", Heard()) as pieces:
        raw = b"".join(pieces)
    listed = subprocess.run(["tar", "tf", "-"], input=raw, capture_output=True, check=True).stdout
    assert b"data/deep/slice.bin" in listed.splitlines()
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        assert tar.extractfile("data/large.bin").read() == CONTENTS["one/large.bin"]  # type: ignore[union-attr]


@WAYS
def test_what_is_not_there_is_said_and_nothing_is_left(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, sealed: bool, indexed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed)
    target = tmp_path / "elsewhere" / "out"
    target.parent.mkdir()
    assert way.code(lambda: way.read("one/nothing")) == "PATH_NOT_FOUND"
    assert way.code(lambda: way.read("one")) == "NOT_A_FILE"
    assert way.code(lambda: way.read("one/link")) == "NOT_A_FILE"
    assert way.code(lambda: way.save("nothing", target)) == "PATH_NOT_FOUND"
    target.write_text("mine")
    assert way.code(lambda: way.save("state.json", target)) == "TARGET_EXISTS"
    assert [path.name for path in target.parent.iterdir()] == ["out"]
    assert target.read_text() == "mine"


@pytest.mark.parametrize("sealed", [False, True])
def test_a_small_file_takes_one_request_beside_index_and_metadata(
    plan: PlanConfig, storage: S3Storage, sealed: bool
) -> None:
    plan = dataclasses.replace(plan, segment_size=4 * MIB)
    for number in range(5):
        (plan.data_dir / f"media-{number}.bin").write_bytes(os.urandom(6 * MIB))
    way = Way(plan, storage, sealed, indexed=True)
    assert way.read("one/random.bin") == CONTENTS["one/random.bin"]
    way.storage.requests.clear()
    way.storage.moved = 0
    assert way.read("one/random.bin") == CONTENTS["one/random.bin"]
    key = way.made.key
    assert way.storage.requests == [("head", key), ("get", key + ".metadata.json"), ("get", key)]
    assert way.storage.moved < 5 * MIB


def test_neighbouring_segments_come_in_one_request(plan: PlanConfig, storage: S3Storage) -> None:
    way = Way(plan, storage, sealed=True, indexed=True)
    way.read("empty")
    way.storage.requests.clear()
    assert way.read("one/large.bin") == CONTENTS["one/large.bin"]
    assert way.storage.requests.count(("get", way.made.key)) == 1


@pytest.mark.parametrize("sealed", [False, True])
def test_a_file_that_grew_after_the_scan_comes_whole(
    plan: PlanConfig, storage: S3Storage, sealed: bool
) -> None:
    """The index has the size of the scan, the archive that of the moment of reading."""

    class Grows(Heard):
        def phase(self, name: str) -> None:
            if name == "archiving":
                (plan.data_dir / "state.json").write_bytes(CONTENTS["one/large.bin"])
                (plan.data_dir / "one" / "large.bin").write_bytes(b"shrank")

    plan = dataclasses.replace(plan, encryption_key=PASSPHRASE) if sealed else plan
    way = Way(plan, storage, sealed=sealed, indexed=True)
    way.made = run_backup(way.plan, storage, Grows(), now=NOW + timedelta(days=1))
    assert way.read("state.json") == CONTENTS["one/large.bin"]
    assert way.read("one/large.bin") == b"shrank"
    assert way.read("two/other.txt") == b"other"


@pytest.mark.parametrize("sealed", [False, True])
def test_a_damaged_segment_is_not_given_out(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path, sealed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed=True)
    assert way.read("empty") == b""
    archive = bytearray(b"".join(storage.get(way.made.key)))
    for at in range(0, len(archive), 500):
        archive[at] ^= 1
    storage.put(way.made.key, bytes(archive))
    for name in ("one/large.bin", "state.json"):
        assert way.code(lambda name=name: way.read(name)) == "ARCHIVE_DAMAGED"
    assert way.code(lambda: way.save("one", tmp_path / "out")) == "ARCHIVE_DAMAGED"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "temp"]


@pytest.mark.parametrize("sealed", [False, True])
def test_segments_of_another_backup_are_not_given_out(
    plan: PlanConfig, storage: S3Storage, sealed: bool
) -> None:
    way = Way(plan, storage, sealed, indexed=True)
    assert way.read("empty") == b""
    (plan.data_dir / "state.json").write_bytes(b'{"n": 2}' * 1000)
    other = run_backup(way.plan, storage, Heard(), now=NOW + timedelta(days=1))
    storage.put(way.made.key, b"".join(storage.get(other.key)))
    assert way.code(lambda: way.read("state.json")) == "ARCHIVE_DAMAGED"


def test_a_wrong_key_gives_nothing_though_the_names_are_cached(
    plan: PlanConfig, storage: S3Storage
) -> None:
    way = Way(plan, storage, sealed=True, indexed=True)
    assert way.read("empty") == b""
    way.plan = dataclasses.replace(way.plan, encryption_key="another key of at least 32 characters")
    with pytest.raises(KeyMismatch):
        way.read("state.json")


def test_a_damaged_index_is_warned_of_and_done_without(
    plan: PlanConfig, storage: S3Storage
) -> None:
    way = Way(plan, storage, sealed=True, indexed=True)
    storage.put(index_key(way.made.key), b"rubbish")
    heard = Heard()
    assert way.read("state.json", heard) == CONTENTS["state.json"]
    assert heard.codes == ["INDEX_DAMAGED"]


def test_an_archive_of_plain_tar_gives_single_files_too(
    plan: PlanConfig, storage: S3Storage, tmp_path: Path
) -> None:
    made = subprocess.run(
        [
            "tar", "czf", "-", "--format=posix", "--sparse", "--transform", "s,^,data/,",
            "one", "two", "hard.txt",
        ],
        cwd=plan.data_dir, capture_output=True, check=True,
    ).stdout  # fmt: skip
    key = archive_key(plan, NOW)
    storage.put(key, made)
    backup = find_backup(storage, plan, key)
    for name in ("one/large.bin", "one/zeros.bin", "hard.txt"):
        with open_file(storage, plan, backup, name.encode(), Heard()) as found:
            assert b"".join(found.chunks) == (plan.data_dir / name).read_bytes()
    save(storage, plan, backup, b"two", tmp_path / "out", Heard())
    assert describe(tmp_path / "out") == describe(plan.data_dir / "two")
