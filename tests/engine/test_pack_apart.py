"""Packing in a process of its own gives what it gives in this one, and leaves none behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.packing import pack_folder
from tests.engine.test_resume import FailingStorage, FailingUpload, journals, whole
from tests.engine.test_resume import key as key
from tests.engine.test_resume import plan as plan
from tests.engine.test_resume import storage as storage
from tests.engine.test_reuse import PASSPHRASE, backup
from tests.support.children import HINDRANCES, alive, children, hinder, open_files, soon
from worker.engine.archive.chunks import ChunkReader
from worker.engine.archive.frames import Kind
from worker.engine.archive.keys import KdfParams, MasterKey, derive
from worker.engine.archive.unpack_frames import unpack_frames
from worker.engine.capture import pipeline, sending
from worker.engine.capture.apart import Apart, NotStarted, PackerDied
from worker.engine.capture.packing import Coming, Packed, Raw, Threads, pack_segment, room_for
from worker.engine.capture.shared import Shared
from worker.engine.config import PlanConfig
from worker.engine.errors import JobStopped
from worker.engine.progress import Progress

MIB = 1024 * 1024
PACKER = "worker.engine.capture.pack_process"


def derived() -> MasterKey:
    return derive(PASSPHRASE, KdfParams(os.urandom(16), log_n=10))


MASTER = derived()


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    before = open_files()
    yield
    assert children(PACKER) == []
    assert open_files() <= before


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text, numbers and noise, 60 MiB: several times round the shared memory, at any level."""
    target, rng = tmp_path_factory.mktemp("folder"), random.Random(1)
    words = [rng.randbytes(4).hex().encode() for _ in range(3000)]
    text = b" ".join(rng.choices(words, k=4 * MIB // 9))
    (target / "large.log").write_bytes(text * 3)
    (target / "noise.bin").write_bytes(rng.randbytes(30 * MIB + 7))
    (target / "mixed").mkdir()
    for number in range(300):
        size = rng.choice((0, 1, 500, 9000, 70_000, 300_000))
        content = text[number * 1000 :][:size] if number % 3 else rng.randbytes(size)
        (target / "mixed" / f"{number}").write_bytes(content)
    return target


@pytest.mark.parametrize("level", [1, 5, 6, 9])
def test_the_same_archive_comes_of_it_as_in_one_process(
    level: int, folder: Path, tmp_path: Path
) -> None:
    here = pack_folder(folder, tmp_path / "here", level=level)
    apart = Apart(None, Progress(), largest=4 * MIB)
    assert pack_folder(folder, tmp_path / "there", level=level, packing=apart) == here


def test_both_try_the_same_segments_however_they_are_mixed(tmp_path: Path) -> None:
    data, rng = tmp_path / "data", random.Random(2)
    data.mkdir()
    words = [rng.randbytes(4).hex().encode() for _ in range(3000)]
    for number in range(40):  # each kind is tried anew, and small files lie in between
        text = b" ".join(rng.choices(words, k=40_000))
        keys = b"".join(rng.randbytes(30).hex().encode() for _ in range(6000))
        (data / f"{number:02}.k{number}").write_bytes(text if number % 3 else keys)
        (data / f"{number:02}.a-log").write_bytes(keys[:1000] if number % 2 else text[:90_000])
    size = 400 * 1024
    here = pack_folder(data, tmp_path / "here", segment_size=size)
    apart = Apart(None, Progress(), largest=size)
    assert pack_folder(data, tmp_path / "there", segment_size=size, packing=apart) == here


def test_what_it_seals_opens_with_the_key(folder: Path, tmp_path: Path) -> None:
    master = derived()
    plain = pack_folder(folder, tmp_path / "plain")
    sealed = pack_folder(
        folder, tmp_path / "sealed", master=master,
        packing=Apart(master, Progress(), largest=4 * MIB),
    )  # fmt: skip
    opened = subprocess.run(["gzip", "-dc"], input=plain, capture_output=True, check=True).stdout
    source = ChunkReader(iter([sealed]), lambda _: None)
    tar = unpack_frames(source, (PASSPHRASE,), name="backup.tar.gz")
    assert b"".join(tar) == opened


def test_segments_come_back_with_what_an_index_says_of_them() -> None:
    master = derived()
    apart = Apart(master, Progress(), largest=MIB)
    try:
        raw = Raw([b"a" * 1000, b"b" * 9000], 10_000, 6)
        coming, of_threads = apart.begin(raw), Threads(master)
        here = of_threads.begin(raw).result()
        of_threads.close()
        assert coming
        there = coming.result()
        assert isinstance(here, Packed)
        assert (there.raw_length, there.content) == (here.raw_length, here.content)
        assert len(there.record) == len(here.record)
        assert there.record.endswith(there.sha256)
    finally:
        apart.close()


def test_memory_that_is_full_is_said_and_there_is_room_again_after_the_oldest() -> None:
    apart, raw = Apart(None, Progress(), largest=MIB), Raw([os.urandom(MIB)], MIB, 1)
    try:
        under_way = []
        while coming := apart.begin(raw):
            under_way.append(coming)
        assert 16 <= len(under_way) <= 18
        under_way[0].result()
        apart.let_go()
        assert apart.begin(raw)
    finally:
        apart.close()


def test_never_so_many_small_ones_are_under_way_that_the_two_wait_for_each_other() -> None:
    apart, raw = Apart(None, Progress(), largest=MIB), Raw([b"x"], 1, 1)
    try:
        under_way = deque[Coming]()
        for _ in range(3000):
            while (coming := apart.begin(raw)) is None:
                under_way.popleft().result()
                apart.let_go()
            under_way.append(coming)
        assert len(under_way) == 256
    finally:
        apart.close()


def test_one_that_is_larger_than_all_the_memory_is_packed_here() -> None:
    apart = Apart(None, Progress(), largest=1)
    try:
        sizes = [MIB, 20 * MIB, MIB]
        under_way = [apart.begin(Raw([bytes(size)], size, 1)) for size in sizes]
        for size, coming in zip(sizes, under_way, strict=True):
            assert coming
            assert isinstance(made := coming.result(), Packed)
            assert made.raw_length == size
            assert made.data == pack_segment(bytes(size), 1, None).data
            apart.let_go()
        assert apart.begin(Raw([b"x"], 1, 1))
    finally:
        apart.close()


class Meanwhile(Progress):
    """Sends the packing process a signal once it is at work, and ends the run where that is so."""

    def __init__(self, number: int, error: Exception | None = None) -> None:
        self.number, self.error, self.advanced = number, error, 0

    def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
        self.advanced += 1
        for pid in children(PACKER):
            os.kill(pid, self.number)

    def checkpoint(self) -> None:
        if self.error and self.advanced:
            raise self.error


def test_a_process_that_was_killed_is_said_and_the_run_may_be_tried_again(
    folder: Path, tmp_path: Path
) -> None:
    progress = Meanwhile(signal.SIGKILL)
    apart = Apart(None, progress, largest=4 * MIB)
    with pytest.raises(PackerDied, match="signal 9") as died:
        pack_folder(folder, tmp_path / "work", packing=apart, progress=progress)
    assert died.value.passing


def test_a_run_that_is_to_end_ends_while_the_other_does_not_answer(
    folder: Path, tmp_path: Path
) -> None:
    progress = Meanwhile(signal.SIGSTOP, JobStopped("Cancelled."))
    apart = Apart(None, progress, largest=4 * MIB)
    with pytest.raises(JobStopped):
        pack_folder(folder, tmp_path / "work", packing=apart, progress=progress)


def test_a_service_manager_that_ends_all_processes_does_not_end_it_first(
    folder: Path, tmp_path: Path
) -> None:
    progress = Meanwhile(signal.SIGTERM)
    apart = Apart(None, progress, largest=4 * MIB)
    there = pack_folder(folder, tmp_path / "there", packing=apart, progress=progress)
    assert there == pack_folder(folder, tmp_path / "here")


FEED = """
import time
from worker.engine.capture.apart import Apart
from worker.engine.progress import Progress
apart = Apart(None, Progress(), largest=1 << 20)
print("up", flush=True)
time.sleep(60)
"""


def test_when_the_one_that_reads_is_killed_the_other_ends() -> None:
    reader = subprocess.Popen(
        [sys.executable, "-c", FEED], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
    )
    assert reader.stdout
    with reader.stdout:
        assert reader.stdout.readline() == b"up\n"
    begun = Path(f"/proc/{reader.pid}/task/{reader.pid}/children").read_text().split()
    assert begun
    reader.kill()
    reader.wait()
    assert soon(lambda: not any(alive(int(pid)) for pid in begun))


def test_the_key_stands_in_no_command_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", "a-secret-that-nobody-needs-there")
    master = derived()
    apart = Apart(master, Progress(), largest=MIB)
    try:
        (pid,) = children(PACKER)
        seen = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"a-secret" not in seen
        assert master.secret.hex().encode() not in seen
    finally:
        apart.close()


@pytest.mark.parametrize("broken", HINDRANCES)
def test_where_there_is_no_other_process_it_is_said_before_anything_is_packed(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hinder(broken, monkeypatch)
    with pytest.raises(NotStarted):
        Apart(None, Progress(), largest=MIB)


@given(st.lists(st.tuples(st.integers(1, 3000), st.booleans()), max_size=60))
def test_pieces_of_shared_memory_never_overlap(steps: list[tuple[int, bool]]) -> None:
    shared, held = Shared.make(8192), list[tuple[int, int]]()
    for size, go in steps:
        if go and held:
            shared.let_go()
            held.pop(0)
        start = shared.take(size)
        if start is None:
            assert held
            continue
        assert 0 <= start <= start + size <= shared.size
        assert all(start + size <= other or end <= start for other, end in held)
        held.append((start, start + size))
    shared.close()


@given(st.integers(0, 9), st.integers(1, 200_000), st.booleans(), st.booleans())
@settings(max_examples=60)
def test_there_is_room_for_whatever_becomes_of_a_segment(
    level: int, size: int, noise: bool, sealed: bool
) -> None:
    tar = os.urandom(size) if noise else b"x" * size
    master = MASTER if sealed else None
    assert len(pack_segment(tar, level, master, Kind.SEGMENT).data) <= room_for(size)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little there is, and on however few processors."""
    monkeypatch.setattr(sending, "_WORTH_A_PROCESS", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("key", [None, PASSPHRASE])
def test_what_another_process_packed_is_a_backup(plan: PlanConfig, storage: FailingStorage) -> None:
    made = backup(plan, storage, 0)
    whole(plan, storage, made.key)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("key", [None, PASSPHRASE])
def test_a_backup_whose_packer_was_killed_is_gone_on_with(
    plan: PlanConfig, storage: FailingStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "_AHEAD", 0)  # so that not all is packed before it is killed

    class Killing(FailingUpload):
        def send_part(self, number: int, data: bytes | bytearray | memoryview) -> None:
            super().send_part(number, data)
            for pid in children(PACKER) if number == 3 else ():
                os.kill(pid, signal.SIGKILL)

    storage.upload = Killing
    with pytest.raises(PackerDied):
        backup(plan, storage, 0)
    assert storage.uploads_open
    assert journals(plan)
    storage.upload = FailingUpload
    before = storage.sent
    made = backup(plan, storage, 0)
    assert 0 < storage.sent - before < made.size
    whole(plan, storage, made.key)


@pytest.mark.usefixtures("always")
def test_where_there_is_no_other_process_this_one_packs(
    plan: PlanConfig,
    storage: FailingStorage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    made = backup(plan, storage, 0)
    assert any("Packing in one process" in said for said in caplog.messages)
    whole(plan, storage, made.key)


@pytest.mark.parametrize("size", [sending._WORTH_A_PROCESS - 1, sending._WORTH_A_PROCESS])
def test_only_much_is_worth_a_process(
    size: int, plan: PlanConfig, storage: FailingStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def not_now(*_: object, **__: object) -> None:
        asked.append("apart")
        raise NotStarted("not now")

    monkeypatch.setattr(sending, "Apart", not_now)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    (plan.data_dir / "rest").touch()
    (plan.data_dir / "link").unlink()
    here = sum(path.stat().st_size for path in plan.data_dir.rglob("*") if path.is_file())
    os.truncate(plan.data_dir / "rest", size - here)
    backup(plan, storage, 0)
    assert asked == (["apart"] if size == sending._WORTH_A_PROCESS else [])
