"""Rows 72 to 75 of the fault matrix: wrong keys, and archives that somebody changed.

Exhaustive on a small backup, plain and encrypted: each byte flipped, each length cut, each
segment swapped, dropped, doubled, or taken from another backup, folder or deployment.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.support.memory_storage import MemoryStorage
from worker.engine.archive.frames import COBBLESTONE_PREFIX, HEADER_SIZE, Kind, seal
from worker.engine.archive.index_fetch import fetch_index, find_pin
from worker.engine.archive.index_reader import open_index
from worker.engine.archive.keys import KdfParams, MasterKey
from worker.engine.archive.reader import open_archive
from worker.engine.backup import run_backup
from worker.engine.catalogue import find_backup
from worker.engine.config import PlanConfig
from worker.engine.drill import run_drill
from worker.engine.errors import ArchiveError, KeyMismatch
from worker.engine.naming import archive_key, index_key, metadata_key
from worker.engine.progress import Progress
from worker.engine.restore import run_restore
from worker.engine.restore_part import run_restore_part
from worker.engine.settings import read_settings
from worker.engine.verify import run_verify, survey

NOW = datetime(2025, 8, 29, 5, tzinfo=UTC)
OLDER = NOW - timedelta(days=1)
KEY = archive_key(PlanConfig(), NOW)
OLD_KEY = archive_key(PlanConfig(), OLDER)
PASSPHRASE = "a passphrase of more than thirty-two characters"
ANOTHER = "another passphrase of more than thirty-two characters"


class Bucket(MemoryStorage):
    """Knows how many bytes of archives were asked for."""

    asked = 0

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        if key.endswith(".tar.gz"):
            self.asked += len(memoryview(self.get_bytes(key, limit=10**9))[start:end])
        return super().get(key, start, end)


def make(plan: PlanConfig, storage: MemoryStorage, now: datetime = NOW) -> None:
    run_backup(replace(plan, segment_size=2048), storage, Progress(), now=now)


def folder(data: Path, word: str) -> Path:
    (data / "sub").mkdir(parents=True)
    for number in range(3):
        (data / "sub" / f"{number}.txt").write_text(f"{word} {number}\n" * 20)
    return data


@pytest.fixture(scope="module", params=[None, PASSPHRASE], ids=["plain", "encrypted"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PlanConfig, dict[str, bytes]]:
    """A plan and the objects of its bucket: an older backup and the newest one."""
    base = tmp_path_factory.mktemp("made")
    plan = PlanConfig(
        data_dir=folder(base / "data", "old"),
        temp_dir=base / "temp",
        encryption_key=request.param,
        max_backups=9,
    )
    storage = MemoryStorage()
    make(plan, storage, OLDER)
    (plan.data_dir / "sub" / "1.txt").write_text("new\n" * 90)
    make(plan, storage)
    return plan, {key: content for key, (content, _) in storage.objects.items()}


@pytest.fixture
def plan(made: tuple[PlanConfig, dict[str, bytes]]) -> PlanConfig:
    return made[0]


@pytest.fixture
def bucket(made: tuple[PlanConfig, dict[str, bytes]]) -> Bucket:
    storage = Bucket()
    for key, content in made[1].items():
        storage.put(key, content)
    return storage


def archive(storage: MemoryStorage, key: str = KEY) -> bytes:
    return storage.get_bytes(key, limit=10**9)


def read_through(plan: PlanConfig, storage: MemoryStorage) -> None:
    """As a restore reads it, without a disk."""
    backup = find_backup(storage, plan, KEY)
    with open_archive(storage, plan, backup, Progress()) as stream:
        survey(stream, Progress(), KEY)


def refusal(plan: PlanConfig, storage: MemoryStorage, changed: bytes) -> ArchiveError:
    storage.put(KEY, changed)
    with pytest.raises(ArchiveError) as refused:
        read_through(plan, storage)
    assert refused.value.hint
    return refused.value


def segments(plan: PlanConfig, storage: MemoryStorage, key: str = KEY) -> list[bytes]:
    """The archive cut where its segments end; what follows the last is one more piece."""
    with open_index(storage, plan, find_backup(storage, plan, key)) as index:
        ends = [row[0] for row in index.query("SELECT offset + length FROM segments ORDER BY id")]
    raw = archive(storage, key)
    pieces = [raw[start:end] for start, end in zip([0, *ends], [*ends, len(raw)], strict=True)]
    return [piece for piece in pieces if piece]


def data_segments(pieces: list[bytes]) -> range:
    """Without what follows the last segment of an encrypted archive."""
    return range(len(pieces) - 1 if pieces[0].startswith(b"TARKEEP") else len(pieces))


# Row 72


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[PlanConfig, Bucket]:
    plan = PlanConfig(
        data_dir=folder(tmp_path / "place" / "data", "secret"),
        temp_dir=tmp_path / "temp",
        encryption_key=PASSPHRASE,
    )
    storage = Bucket()
    make(plan, storage)
    storage.asked = 0
    return plan, storage


Run = Callable[[PlanConfig, MemoryStorage], object]
RUNS: dict[str, Run] = {
    "restore": lambda plan, storage: run_restore(plan, storage, Progress(), key=KEY, now=NOW),
    "verify": lambda plan, storage: run_verify(plan, storage, Progress(), key=KEY),
    "drill": lambda plan, storage: run_drill(plan, storage, Progress(), key=KEY),
}


@pytest.mark.parametrize("what", RUNS)
@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"encryption_key": ANOTHER}, "ENCRYPTION_KEY_WRONG"),
        ({"encryption_key": ANOTHER, "previous_keys": (ANOTHER[::-1],)}, "ENCRYPTION_KEY_WRONG"),
        ({"encryption_key": None}, "ENCRYPTION_KEY_MISSING"),
    ],
    ids=["wrong", "rotated away", "missing"],
)
def test_row_72_a_wrong_key_is_said_before_the_archive_is_downloaded(
    what: str, keys: dict[str, str], code: str, sealed: tuple[PlanConfig, Bucket]
) -> None:
    plan, storage = sealed
    present = sorted(path.name for path in plan.data_dir.parent.iterdir())
    with pytest.raises(KeyMismatch) as refused:
        RUNS[what](replace(plan, **keys), storage)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert "BACKUP_ENCRYPTION_KEY" in refused.value.hint
    assert storage.asked <= HEADER_SIZE
    left = {path.name for path in plan.data_dir.parent.iterdir()} - set(present)
    assert left <= {".tarkeep-data.lock"}
    assert not list(plan.temp_dir.iterdir())


@pytest.mark.parametrize("what", RUNS)
def test_row_72_after_a_rotation_the_previous_key_opens_old_backups(
    what: str, sealed: tuple[PlanConfig, Bucket]
) -> None:
    plan, storage = sealed
    RUNS[what](replace(plan, encryption_key=ANOTHER, previous_keys=(PASSPHRASE,)), storage)


def test_row_72_a_key_of_less_than_32_characters_is_refused_by_the_settings() -> None:
    settings = read_settings({"BACKUP_ENCRYPTION_KEY": "k" * 31})
    (problem,) = [p for p in settings.problems if p.variable == "BACKUP_ENCRYPTION_KEY"]
    assert "32" in problem.message
    assert "k" * 31 not in problem.message + problem.hint


# Row 73


def test_row_73_each_flipped_byte_is_found(plan: PlanConfig, bucket: Bucket) -> None:
    whole = archive(bucket)
    for at in range(len(whole)):
        error = refusal(plan, bucket, whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        assert not isinstance(error, KeyMismatch), f"byte {at}"


def test_row_73_each_cut_is_found(plan: PlanConfig, bucket: Bucket) -> None:
    whole = archive(bucket)
    for size in range(len(whole)):
        refusal(plan, bucket, whole[:size])
    refusal(plan, bucket, whole + b"\0")


def test_row_73_each_swap_of_two_segments_is_found(plan: PlanConfig, bucket: Bucket) -> None:
    pieces = segments(plan, bucket)
    assert len(pieces) > 3
    for one, two in combinations(data_segments(pieces), 2):
        swapped = list(pieces)
        swapped[one], swapped[two] = pieces[two], pieces[one]
        refusal(plan, bucket, b"".join(swapped))


def test_row_73_each_segment_dropped_or_doubled_is_found(plan: PlanConfig, bucket: Bucket) -> None:
    pieces = segments(plan, bucket)
    for number in data_segments(pieces):
        refusal(plan, bucket, b"".join(pieces[:number] + pieces[number + 1 :]))
        refusal(plan, bucket, b"".join([*pieces[: number + 1], *pieces[number:]]))


@pytest.fixture
def strangers(
    plan: PlanConfig, bucket: Bucket, tmp_path: Path
) -> dict[str, tuple[PlanConfig, MemoryStorage, str]]:
    """Where segments could come from: an older backup of the same folder, another folder with
    the same key and salt, another deployment with the same key."""
    other = replace(plan, data_dir=folder(tmp_path / "other", "word"), temp_dir=tmp_path / "t")
    same_salt, own_salt = Bucket(), Bucket()
    for key, (content, _) in bucket.objects.items():
        if ".tar.gz" not in key:
            same_salt.put(key, content)
    make(other, same_salt)
    make(other, own_salt)
    return {
        "backup": (plan, bucket, OLD_KEY),
        "source": (other, same_salt, KEY),
        "deployment": (other, own_salt, KEY),
    }


@pytest.mark.parametrize("where", ["backup", "source", "deployment"])
def test_row_73_each_segment_taken_from_elsewhere_is_found(
    where: str,
    plan: PlanConfig,
    bucket: Bucket,
    strangers: dict[str, tuple[PlanConfig, MemoryStorage, str]],
) -> None:
    ours, theirs = segments(plan, bucket), segments(*strangers[where])
    for number in data_segments(ours):
        for stranger in (theirs[n] for n in data_segments(theirs)):
            if stranger != ours[number]:
                refusal(plan, bucket, b"".join([*ours[:number], stranger, *ours[number + 1 :]]))


def test_row_73_each_flipped_byte_of_the_index_is_found(
    plan: PlanConfig, bucket: Bucket, tmp_path: Path
) -> None:
    whole, backup = archive(bucket, index_key(KEY)), find_backup(bucket, plan, KEY)
    pin = find_pin(bucket, plan, backup)
    for at in range(len(whole)):
        bucket.put(index_key(KEY), whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        with pytest.raises(ArchiveError) as refused:
            fetch_index(bucket, backup, pin, tmp_path / "index")
        assert refused.value.code in {"INDEX_DAMAGED", "INDEX_FOREIGN"}, f"byte {at}"


def test_row_73_an_index_that_lies_with_a_right_checksum_is_found(
    plan: PlanConfig, bucket: Bucket
) -> None:
    """The older index under the newest key, vouched for by changed metadata."""
    bucket.put(index_key(KEY), archive(bucket, index_key(OLD_KEY)))
    about = json.loads(archive(bucket, metadata_key(KEY)))
    older = json.loads(archive(bucket, metadata_key(OLD_KEY)))
    about["indexChecksum"] = older["indexChecksum"]
    bucket.put(metadata_key(KEY), json.dumps(about).encode())
    with pytest.raises(ArchiveError) as refused:
        run_verify(plan, bucket, Progress(), key=KEY)
    assert refused.value.code == "INDEX_FOREIGN"


def half(pieces: list[bytes]) -> bytes:
    return b"".join(pieces)[: len(b"".join(pieces)) // 2]


CHANGES: dict[str, Callable[[list[bytes]], bytes]] = {
    "cut": half,
    "swapped": lambda pieces: b"".join([pieces[1], pieces[0], *pieces[2:]]),
    "dropped": lambda pieces: b"".join([pieces[0], *pieces[2:]]),
    "doubled": lambda pieces: b"".join([pieces[0], *pieces]),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("what", RUNS)
def test_row_73_a_run_refuses_it_with_the_live_folder_untouched(
    what: str, change: str, plan: PlanConfig, bucket: Bucket
) -> None:
    before = subprocess.check_output(["find", plan.data_dir, "-printf", "%p %i %C@\n"])
    bucket.put(KEY, CHANGES[change](segments(plan, bucket)))
    with pytest.raises(ArchiveError):
        RUNS[what](plan, bucket)
    assert subprocess.check_output(["find", plan.data_dir, "-printf", "%p %i %C@\n"]) == before
    assert {path.name for path in plan.temp_dir.iterdir()} <= {"index-cache"}


# Row 74: the part that the bucket's content tells; tests/faults/test_bucket_head.py has the rest


def test_row_74_an_older_backup_in_the_place_of_the_newest_is_refused(
    plan: PlanConfig, bucket: Bucket
) -> None:
    bucket.put(KEY, archive(bucket, OLD_KEY))
    bucket.put(index_key(KEY), archive(bucket, index_key(OLD_KEY)))
    bucket.put(metadata_key(KEY), archive(bucket, metadata_key(OLD_KEY)))
    with pytest.raises(ArchiveError) as refused:
        run_verify(plan, bucket, Progress(), key=KEY)
    assert refused.value.code in {"FRAME_FOREIGN", "INDEX_FOREIGN"}


@pytest.mark.parametrize("what", ["restore", "part", "drill", "index alone"])
def test_row_74_an_older_plain_backup_replayed_as_the_newest_is_refused(
    what: str, tmp_path: Path
) -> None:
    """Nothing is sealed here: the time in its metadata tells, or the name in its index."""
    plan = PlanConfig(data_dir=tmp_path / "data", temp_dir=tmp_path / "temp")
    plan.data_dir.mkdir()
    (plan.data_dir / "file").write_text("old")
    bucket = Bucket()
    run_backup(plan, bucket, Progress(), now=OLDER)
    (plan.data_dir / "file").write_text("new")
    run_backup(plan, bucket, Progress(), now=NOW)
    names = [index_key] if what == "index alone" else [index_key, metadata_key, str]
    for name in names:
        bucket.put(name(KEY), archive(bucket, name(OLD_KEY)))
    runs = {
        "restore": lambda: run_restore(plan, bucket, Progress(), key=KEY, now=NOW),
        "part": lambda: run_restore_part(
            plan, bucket, Progress(), key=KEY, words=["file"], now=NOW
        ),
        "drill": lambda: run_drill(plan, bucket, Progress(), key=KEY),
        "index alone": lambda: run_verify(plan, bucket, Progress(), key=KEY),
    }
    with pytest.raises(ArchiveError) as refused:
        runs[what]()
    assert refused.value.code in {"FRAME_FOREIGN", "INDEX_FOREIGN", "INDEX_DAMAGED"}
    assert (plan.data_dir / "file").read_text() == "new"


def test_row_74_an_older_manifest_behind_newer_frames_is_refused(
    sealed: tuple[PlanConfig, Bucket],
) -> None:
    plan, storage = sealed
    make(plan, storage, OLDER)
    new, old = segments(plan, storage), segments(plan, storage, OLD_KEY)
    error = refusal(plan, storage, b"".join([*new[:-1], old[-1]]))
    assert error.code in {"FRAME_FOREIGN", "ARCHIVE_DAMAGED"}


def test_row_74_a_plain_archive_where_an_encrypted_one_was_is_refused(
    sealed: tuple[PlanConfig, Bucket], tmp_path: Path
) -> None:
    plan, storage = sealed
    packed = subprocess.check_output(["tar", "-cz", "data"], cwd=plan.data_dir.parent)
    assert "encrypted" in refusal(plan, storage, packed).message


@pytest.mark.parametrize("field", [10, 11, 12], ids=["N", "r", "p"])
def test_row_74_key_derivation_costs_out_of_bounds_are_refused_unpaid(
    field: int, sealed: tuple[PlanConfig, Bucket]
) -> None:
    plan, storage = sealed
    raw = bytearray(archive(storage))
    raw[field] = 40
    raw[HEADER_SIZE - 4 : HEADER_SIZE] = zlib.crc32(raw[: HEADER_SIZE - 4]).to_bytes(4, "big")
    assert refusal(plan, storage, bytes(raw)).code == "FORMAT_UNSUPPORTED"


# Row 75

PROCESSES = 4
SEALS = 250_000


def salts(_: int) -> bytes:
    """Eight of the 24 random bytes of each of many messages."""
    master = MasterKey(KdfParams(bytes(16)), bytes(8), bytes(32))
    begin = HEADER_SIZE
    return b"".join(bytes(seal(Kind.SEGMENT, b"", master)[begin : begin + 8]) for _ in range(SEALS))


@pytest.mark.timeout(900)
def test_row_75_no_two_of_a_million_seals_share_their_salt_across_forks_too() -> None:
    seal(Kind.SEGMENT, b"", MasterKey(KdfParams(bytes(16)), bytes(8), bytes(32)))  # then fork
    with get_context("fork").Pool(PROCESSES) as pool:
        drawn = b"".join(pool.map(salts, range(PROCESSES), chunksize=1))
    assert len(set(memoryview(drawn).cast("Q"))) == PROCESSES * SEALS


def test_row_75_equal_content_is_never_sealed_alike(sealed: tuple[PlanConfig, Bucket]) -> None:
    plan, storage = sealed
    make(plan, storage, OLDER)
    starts = [
        piece[HEADER_SIZE : HEADER_SIZE + COBBLESTONE_PREFIX]
        for key in (KEY, OLD_KEY)
        for piece in segments(plan, storage, key)
    ]
    assert len(set(starts)) == len(starts)


NO_RANDOM = """
import ctypes, errno, pickle, platform, struct, sys, tempfile
from datetime import UTC, datetime
from pathlib import Path
from tests.support.memory_storage import MemoryStorage
from worker.engine.backup import run_backup
from worker.engine.config import PlanConfig
from worker.engine.progress import Progress

def step(code, jt, jf, k):
    return struct.pack("HBBI", code, jt, jf, k)

# A filter of system calls: getrandom answers EIO from here on, everything else is allowed.
getrandom = {"x86_64": 318, "aarch64": 278}[platform.machine()]
steps = ctypes.create_string_buffer(
    step(0x20, 0, 0, 0) + step(0x15, 0, 1, getrandom)
    + step(0x06, 0, 0, 0x00050000 | errno.EIO) + step(0x06, 0, 0, 0x7FFF0000)
)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
program = Program(4, ctypes.addressof(steps))
storage = MemoryStorage()
base = Path(sys.argv[1])
plan = PlanConfig(data_dir=base / "data", temp_dir=base / "temp", encryption_key="k" * 40)
for key, content in pickle.loads((base / "bucket").read_bytes()).items():
    storage.put(key, content)
plan.temp_dir.mkdir()
tempfile.mkdtemp(dir=base)  # names of folders need no randomness of their own from here on
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
try:
    run_backup(plan, storage, Progress(), now=datetime(2025, 8, 29, tzinfo=UTC))
except BaseException as error:
    print("refused:", type(error).__name__)
print(len(storage.objects))
"""


@pytest.mark.parametrize("backups", [0, 1])
def test_row_75_without_random_numbers_nothing_is_published(backups: int, tmp_path: Path) -> None:
    plan = PlanConfig(
        data_dir=folder(tmp_path / "data", "word"),
        temp_dir=tmp_path / "t",
        encryption_key="k" * 40,
    )
    storage = MemoryStorage()
    if backups:
        make(plan, storage)
    present = {key: content for key, (content, _) in storage.objects.items()}
    (tmp_path / "bucket").write_bytes(pickle.dumps(present))
    command = [sys.executable, "-c", NO_RANDOM, str(tmp_path)]
    root = Path(__file__).parents[2]
    child = subprocess.run(
        command, cwd=root, env={"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    )
    # The system refuses the deployment's salt; later on, OpenSSL the first segment.
    refused = "InternalError" if backups else "OSError"
    assert child.stdout.splitlines() == [f"refused: {refused}", str(len(present))]
