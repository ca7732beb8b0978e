"""A restore from bucket to live folder, and what it refuses before it changes anything."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.engine.packing import Heard
from tests.support.memory_storage import MemoryStorage
from worker.engine import metadata
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError, JobStopped, KeyMismatch, TargetError
from worker.engine.metadata import Metadata
from worker.engine.naming import archive_key, metadata_key
from worker.engine.progress import Progress
from worker.engine.restore import RestoreResult, run_restore
from worker.engine.swap.lock import held
from worker.engine.swap.site import look
from worker.engine.verify import run_verify

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
SAFETY = "data.before-restore-2025-08-29T05-00-00-000Z"
LOCK = ".tarkeep-data.lock"


class Told(Heard):
    """Remembers the calls that order matters for."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def phase(self, name: str) -> None:
        self.calls.append(name)

    def record(self, effect: str, **details: object) -> None:
        self.calls.append(f"record {effect}")

    def commit(self, step: str) -> None:
        self.calls.append(f"commit {step}")


def fill(folder: Path) -> None:
    (folder / "sub").mkdir(parents=True)
    (folder / "state.json").write_text("{}")
    (folder / "sub" / "media").write_bytes(os.urandom(200_000))
    (folder / "sub" / "to-state").symlink_to("../state.json")
    (folder / "outside").symlink_to("/mnt/elsewhere")


def beside(plan: PlanConfig) -> list[str]:
    return sorted(path.name for path in plan.data_dir.parent.iterdir())


def listing(folder: Path) -> list[bytes]:
    command = ["find", ".", "-printf", "%P %y %m %s %T@ %l\\n"]
    return sorted(subprocess.check_output(command, cwd=folder).splitlines())


@pytest.fixture(params=[None, "k" * 40], ids=["plain", "encrypted"])
def plan(tmp_path: Path, request: pytest.FixtureRequest) -> PlanConfig:
    place = tmp_path / "place"
    fill(place / "data")
    temp = tmp_path / "temp"
    return PlanConfig(data_dir=place / "data", temp_dir=temp, encryption_key=request.param)


@pytest.fixture
def storage(plan: PlanConfig) -> MemoryStorage:
    """A bucket with one backup of the plan's folder."""
    storage = MemoryStorage()
    run_backup(plan, storage, Progress(), now=NOW)
    return storage


def restore(
    plan: PlanConfig, storage: MemoryStorage, progress: Progress | None = None
) -> RestoreResult:
    return run_restore(plan, storage, progress or Progress(), key="latest", now=NOW)


def spoil(folder: Path) -> None:
    (folder / "state.json").write_text("spoiled")
    (folder / "sub" / "media").unlink()
    (folder / "state.json-wal").write_text("stale")


def test_a_restore_brings_the_folder_back_and_keeps_the_replaced_one(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    before = listing(plan.data_dir)
    spoil(plan.data_dir)
    spoiled = listing(plan.data_dir)
    result = restore(plan, storage)
    assert listing(plan.data_dir) == before
    assert result.safety_copy == plan.data_dir.parent / SAFETY
    assert listing(result.safety_copy) == spoiled
    assert (result.files, result.bytes, result.mode, result.warnings) == (4, 200_002, "exchange", 0)
    assert beside(plan) == [f".tarkeep-about-{SAFETY}.json", LOCK, "data", SAFETY]


def test_steps_are_told_in_order_and_written_down_before_they_are_done(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    told = Told()
    restore(plan, storage, told)
    assert told.calls == [
        "preparing", "record stage", "fetching", "swapping", "record swap", "commit swap",
        "finishing",
    ]  # fmt: skip


def test_on_a_new_machine_the_folder_is_simply_made(
    plan: PlanConfig, storage: MemoryStorage, tmp_path: Path
) -> None:
    elsewhere = replace(plan, data_dir=tmp_path / "new" / "machine" / "data")
    heard = Heard()
    result = restore(elsewhere, storage, heard)
    assert (result.mode, result.safety_copy) == ("new", None)
    assert (elsewhere.data_dir / "state.json").read_text() == "{}"
    assert (elsewhere.data_dir / "outside").readlink() == Path("/mnt/elsewhere")
    assert (heard.codes, result.warnings) == ([], 0)


def test_a_strangers_archive_brings_no_new_link_out_of_the_folder(
    plan: PlanConfig, storage: MemoryStorage, tmp_path: Path
) -> None:
    key = archive_key(plan, NOW)
    storage.delete(metadata_key(key))
    elsewhere = replace(plan, data_dir=tmp_path / "new" / "machine" / "data")
    heard = Heard()
    run_restore(elsewhere, storage, heard, key=key, now=NOW)
    assert not os.path.lexists(elsewhere.data_dir / "outside")
    assert heard.codes == ["LINK_OUTSIDE"]


def test_no_safety_copy_is_kept_of_an_empty_folder(
    plan: PlanConfig, storage: MemoryStorage, tmp_path: Path
) -> None:
    plan.data_dir.rename(tmp_path / "away")
    plan.data_dir.mkdir()
    assert restore(plan, storage).safety_copy is None
    assert beside(plan) == [LOCK, "data"]


def test_two_restores_in_one_instant_keep_two_safety_copies(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    assert [restore(plan, storage).safety_copy.name for _ in range(2)] == [SAFETY, f"{SAFETY}-2"]


def damaged(storage: MemoryStorage, change: Callable[[bytes], bytes]) -> MemoryStorage:
    key = archive_key(PlanConfig(), NOW)
    storage.put(key, change(storage.get_bytes(key, limit=10**9)))
    return storage


@pytest.mark.parametrize(
    "change",
    [lambda b: b[:-1], lambda b: b[: len(b) // 2], lambda b: b + b"\1",
     lambda b: b[:5000] + bytes([b[5000] ^ 1]) + b[5001:]],
    ids=["one byte short", "half", "one byte more", "one bit flipped"],
)  # fmt: skip
def test_a_damaged_archive_is_refused_with_the_live_folder_untouched(
    change: Callable[[bytes], bytes], plan: PlanConfig, storage: MemoryStorage
) -> None:
    before = listing(plan.data_dir)
    with pytest.raises(ArchiveError):
        restore(plan, damaged(storage, change))
    assert listing(plan.data_dir) == before
    assert beside(plan) == [LOCK, "data"]


def test_a_wrong_key_is_said_with_the_live_folder_untouched(tmp_path: Path) -> None:
    plan = PlanConfig(data_dir=tmp_path / "data", temp_dir=tmp_path, encryption_key="k" * 40)
    fill(plan.data_dir)
    storage = MemoryStorage()
    run_backup(plan, storage, Progress(), now=NOW)
    before = listing(plan.data_dir)
    with pytest.raises(KeyMismatch):
        restore(replace(plan, encryption_key="w" * 40), storage)
    assert listing(plan.data_dir) == before


def test_a_job_that_lost_its_lease_does_not_swap(plan: PlanConfig, storage: MemoryStorage) -> None:
    class Lost(Progress):
        def commit(self, step: str) -> None:
            raise JobStopped("The lease was lost", code="LEASE_LOST")

    before = listing(plan.data_dir)
    with pytest.raises(JobStopped):
        restore(plan, storage, Lost())
    assert listing(plan.data_dir) == before
    assert beside(plan) == [LOCK, "data"]


def test_a_side_effect_that_cannot_be_written_down_does_not_happen(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    class Forgetful(Progress):
        def record(self, effect: str, **details: object) -> None:
            raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError):
        restore(plan, storage, Forgetful())
    assert beside(plan) == [LOCK, "data"]


def test_two_restores_of_one_folder_at_a_time_are_refused(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    with held(look(plan.data_dir).lock), pytest.raises(TargetError) as busy:
        restore(plan, storage)
    assert busy.value.code == "TARGET_BUSY"


def with_metadata(storage: MemoryStorage, plan: PlanConfig, **changes: object) -> None:
    key = metadata_key(archive_key(plan, NOW))
    known = metadata.load(storage.get_bytes(key, limit=10**6), key)
    storage.put(key, metadata.dump(replace(known, **changes)))


@pytest.mark.parametrize(
    "changes",
    [{"data_size": 1 << 50}, {"file_count": 1 << 40}, {"folder_count": 1 << 40}],
    ids=["space", "inodes", "inodes of folders"],
)
def test_too_little_room_is_said_before_anything_is_fetched(
    changes: dict[str, int], plan: PlanConfig, storage: MemoryStorage
) -> None:
    with_metadata(storage, plan, **changes)
    told = Told()
    with pytest.raises(TargetError) as refused:
        restore(plan, storage, told)
    assert refused.value.code == "TARGET_NO_SPACE"
    assert told.calls == ["preparing"]


def test_too_little_room_names_the_safety_copies_and_how_to_remove_one(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    restore(plan, storage)
    with_metadata(storage, plan, data_size=1 << 50)
    with pytest.raises(TargetError) as refused:
        restore(plan, storage)
    assert f"{SAFETY} (1 MiB)" in refused.value.hint
    assert "tarkeep copies --remove" in refused.value.hint


def test_an_unknown_backup_is_said(plan: PlanConfig) -> None:
    with pytest.raises(ArchiveError) as refused:
        restore(plan, MemoryStorage())
    assert refused.value.code == "BACKUP_NOT_FOUND"


def test_an_archive_made_by_hand_with_tar_is_restored(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    plan = PlanConfig(data_dir=tmp_path / "data")
    before = listing(plan.data_dir)
    storage, key = MemoryStorage(), archive_key(plan, NOW)
    storage.put(key, subprocess.check_output(["tar", "-cz", "--posix", "data"], cwd=tmp_path))
    spoil(plan.data_dir)
    run_restore(plan, storage, Progress(), key=key, now=NOW)
    assert listing(plan.data_dir) == before


def test_an_archive_of_the_original_system_is_restored(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    plan = PlanConfig(data_dir=tmp_path / "data")
    archive = subprocess.check_output(["tar", "-cz", "--posix", "data"], cwd=tmp_path)
    storage, key = MemoryStorage(), archive_key(plan, NOW)
    storage.put(key, archive)
    digest = hashlib.sha256(archive).hexdigest()
    old = Metadata("2025-08-29T05-00-00-000Z", len(archive), digest, True, False, "1.0")
    storage.put(metadata_key(key), metadata.dump(old))
    spoil(plan.data_dir)
    assert restore(plan, storage).files == 4
    assert (plan.data_dir / "state.json").read_text() == "{}"


def test_the_folder_itself_keeps_its_looks_where_the_archive_says_nothing(tmp_path: Path) -> None:
    plan = PlanConfig(data_dir=tmp_path / "data")
    fill(plan.data_dir)
    plan.data_dir.chmod(0o751)
    storage, key = MemoryStorage(), archive_key(plan, NOW)
    command = ["tar", "-cz", "data/state.json"]
    storage.put(key, subprocess.check_output(command, cwd=tmp_path))
    run_restore(plan, storage, Progress(), key=key, now=NOW)
    assert plan.data_dir.stat().st_mode & 0o7777 == 0o751


def test_a_verify_reads_everything_and_writes_nothing(
    plan: PlanConfig, storage: MemoryStorage
) -> None:
    told = Told()
    result = run_verify(plan, storage, told, key="latest")
    assert (result.files, result.folders, result.links, result.bytes) == (2, 2, 2, 200_002)
    assert told.calls == ["preparing", "reading"]
    assert beside(plan) == ["data"]


def test_a_verify_finds_one_flipped_bit(plan: PlanConfig, storage: MemoryStorage) -> None:
    damaged(storage, lambda b: b[:5000] + bytes([b[5000] ^ 1]) + b[5001:])
    with pytest.raises(ArchiveError):
        run_verify(plan, storage, Progress(), key="latest")
