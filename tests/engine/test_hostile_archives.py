"""Rows 62 and 63 of the fault matrix: whatever lies in the bucket, a restore writes nothing outside
and leaves the live folder be.
"""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import hostile
from tests.support.hostile import CORPUS, END, GOOD, Hostile
from tests.support.memory_storage import MemoryStorage
from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.extract.extract import Room, extract
from worker.engine.extract.limits import Limits
from worker.engine.naming import archive_key
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.verify import run_verify, survey

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
NAMES = [case.name for case in CORPUS]
# These lie in what the disk would hold, which a verify does not build up.
ONLY_SEEN_ON_DISK = {
    *(case.name for case in (*hostile._links(), *hostile._published())),
    "the same file twice",
    "the same folder twice",
    "a folder that is a file already",
    "a file below a file",
    "a file that is a folder already",
}


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def plan(tmp_path: Path) -> PlanConfig:
    live = tmp_path / "data"
    live.mkdir()
    (live / "precious").write_text("live")
    return PlanConfig(data_dir=live, temp_dir=tmp_path / "temp")


def put(plan: PlanConfig, tar: bytes) -> tuple[MemoryStorage, str]:
    storage, key = MemoryStorage(), archive_key(plan, NOW)
    storage.put(key, gzip.compress(tar, 1))
    return storage, key


@pytest.mark.parametrize("case", CORPUS, ids=NAMES)
def test_row_62_a_hostile_archive_is_refused_and_nothing_changes(
    case: Hostile, plan: PlanConfig, tmp_path: Path
) -> None:
    storage, key = put(plan, case.tar)
    with pytest.raises(ArchiveError) as refused:
        run_restore(plan, storage, Progress(), key=key, now=NOW)
    assert refused.value.code == case.code
    assert listing(tmp_path) == [".tarkeep-data.lock", "data", "data/precious"]
    assert (plan.data_dir / "precious").read_text() == "live"


@pytest.mark.parametrize("openat2", [True, False], ids=["openat2", "walk"])
@pytest.mark.parametrize("case", CORPUS, ids=NAMES)
def test_nothing_is_written_outside_of_the_target(
    case: Hostile, openat2: bool, tmp_path: Path
) -> None:
    target = tmp_path / "in" / "target"
    target.mkdir(parents=True)
    with pytest.raises(ArchiveError):
        extract(io.BytesIO(case.tar), target, Progress(), use_openat2=openat2)
    outside = [name for name in listing(tmp_path) if not name.startswith("in/target")]
    assert outside == ["in"]
    assert not Path("/tmp/escaped").exists()


@pytest.mark.parametrize(
    "case", [c for c in CORPUS if c.name not in ONLY_SEEN_ON_DISK], ids=lambda case: case.name
)
def test_verify_refuses_it_too(case: Hostile, plan: PlanConfig) -> None:
    storage, key = put(plan, case.tar)
    with pytest.raises(ArchiveError) as refused:
        run_verify(plan, storage, Progress(), key=key)
    assert refused.value.code == case.code


def whole_archive() -> bytes:
    return b"".join(
        (
            GOOD,
            hostile.file(b"data/two-blocks", b"y" * 700),
            hostile.pax((b"path", b"data/" + b"n" * 150), (b"mtime", b"1.5")),
            hostile.file(b"short"),
            hostile.long_name(b"data/" + b"m" * 150),
            hostile.file(b"short"),
            hostile.sparse(b"1\n600\n4\n", real=1000, content=b"abcd"),
            hostile.symlink(b"data/link", b"good"),
            hostile.hardlink(b"data/hard", b"data/good"),
            END,
        )
    )


def test_the_archive_that_is_cut_below_is_good_when_whole(plan: PlanConfig) -> None:
    storage, key = put(plan, whole_archive())
    assert run_restore(plan, storage, Progress(), key=key, now=NOW).files == 7


def test_row_63_an_archive_cut_at_every_block_is_refused_and_nothing_changes(
    plan: PlanConfig, tmp_path: Path
) -> None:
    whole = whole_archive()
    for size in range(0, len(whole), hostile.BLOCK):
        storage, key = put(plan, whole[:size])
        with pytest.raises(ArchiveError) as refused:
            run_restore(plan, storage, Progress(), key=key, now=NOW)
        assert refused.value.code == "ARCHIVE_TRUNCATED"
    assert listing(tmp_path) == [".tarkeep-data.lock", "data", "data/precious"]


def test_an_archive_cut_at_any_byte_is_refused() -> None:
    whole = whole_archive()
    for size in range(0, len(whole), 37):
        with pytest.raises(ArchiveError, match="too early"):
            survey(io.BytesIO(whole[:size]), Progress(), "key")


def test_row_63_a_bomb_without_metadata_is_refused_by_its_ratio(
    plan: PlanConfig, tmp_path: Path
) -> None:
    size = 3 * 1024**3
    storage, key = put(plan, GOOD + hostile.header(b"data/bomb", size=size) + bytes(1024**2))
    with pytest.raises(ArchiveError) as refused:
        run_restore(plan, storage, Progress(), key=key, now=NOW)
    assert refused.value.code == "ARCHIVE_HOSTILE"
    assert listing(tmp_path) == [".tarkeep-data.lock", "data", "data/precious"]


@pytest.mark.parametrize(
    ("limits", "tar"),
    [
        (Limits(members=3), GOOD + hostile.file(b"data/3") + hostile.file(b"data/4")),
        (Limits(total=1000), GOOD + hostile.file(b"data/large", b"x" * 1000)),
        (Limits(deferred=1000), b"".join(hostile.folder(b"data/%d/" % n) for n in range(9))),
        (Limits(deferred=1000), b"".join(hostile.symlink(b"data/%d" % n, b"t") for n in range(9))),
    ],
    ids=["members", "total size", "folders kept in mind", "links kept in mind"],
)
def test_row_63_an_archive_over_a_limit_is_refused(
    limits: Limits, tar: bytes, tmp_path: Path
) -> None:
    with pytest.raises(ArchiveError) as refused:
        extract(io.BytesIO(tar + END), tmp_path, Progress(), room=Room(limits))
    assert refused.value.code == "ARCHIVE_HOSTILE"


def test_control_characters_of_a_name_do_not_reach_the_message() -> None:
    with pytest.raises(ArchiveError) as refused:
        survey(io.BytesIO(hostile.file(b"\x1b[2Jevil\n") + END), Progress(), "key")
    assert "\x1b" not in refused.value.message
    assert "\n" not in refused.value.message
