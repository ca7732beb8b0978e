"""Unpacking in a process of its own gives what it gives in this one, and leaves none behind."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.packing import Heard
from tests.support import hostile
from tests.support.children import HINDRANCES, alive, children, hinder, open_files, soon
from tests.support.hostile import CORPUS, Hostile
from worker.engine.errors import ArchiveError, JobStopped, StorageError, TargetError
from worker.engine.extract import unpack as unpack_module
from worker.engine.extract.apart import extract_apart
from worker.engine.extract.extract import ExtractResult, Room, extract
from worker.engine.extract.outside_links import OutsideLinks
from worker.engine.extract.ring import SLOT, SLOTS, Ring
from worker.engine.extract.unpack import WORTH, unpack
from worker.engine.progress import Progress

MIB = 1024 * 1024
UNPACKER = "worker.engine.extract.unpacker"
LISTING = ["find", ".", "-printf", "%P %y %m %U %G %s %T@ %n %l\\n"]


class Counted(Heard):
    """Remembers how much was done as well."""

    def __init__(self) -> None:
        super().__init__()
        self.files = self.bytes = 0

    def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
        self.files, self.bytes = self.files + files, self.bytes + bytes


def apart(
    stream: Any, target: Path, progress: Progress | None = None, **more: Any
) -> ExtractResult:
    target.mkdir(parents=True, exist_ok=True)
    given: dict[str, Any] = {
        "room": Room(), "owner": False, "setuid": False, "durable": False,
        "links": OutsideLinks(every=False), **more,
    }  # fmt: skip
    return extract_apart(stream, target, progress or Progress(), **given)


def unpackers() -> list[int]:
    """Processes of ours that unpack."""
    return children(UNPACKER)


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    before = open_files()
    yield
    assert unpackers() == []
    assert open_files() <= before


def large(size: int = 3 * SLOTS * SLOT) -> io.BytesIO:
    """An archive of files short and long, several times round the ring."""
    stream, seed = io.BytesIO(), os.urandom(MIB)
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number, length in enumerate([100, 70_000, 5 * MIB + 3, 0, size, 4096]):
            member = tarfile.TarInfo(f"data/sub/{number}")
            member.size, member.mtime = length, 1_600_000_000.25
            tar.addfile(member, io.BytesIO((seed * (length // MIB + 1))[:length]))
        for name in ("data/sub", "data"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o750, 1_500_000_000
            tar.addfile(folder)
    stream.seek(0)
    return stream


def listing(folder: Path) -> list[bytes]:
    found = subprocess.run(LISTING, cwd=folder, capture_output=True, check=True)
    return sorted(found.stdout.splitlines())


def test_the_same_comes_of_it_as_in_one_process(tmp_path: Path) -> None:
    tar, here, there = large(), Counted(), Counted()
    (tmp_path / "here").mkdir()
    one = extract(io.BytesIO(tar.getvalue()), tmp_path / "here", here)
    other = apart(tar, tmp_path / "there", there, durable=True)
    assert one == other
    assert listing(tmp_path / "here") == listing(tmp_path / "there")
    same = ["diff", "-r", str(tmp_path / "here"), str(tmp_path / "there")]
    assert subprocess.run(same, check=False).returncode == 0
    assert (here.files, here.bytes) == (there.files, there.bytes) == (one.files, one.bytes)


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_row_62_a_hostile_archive_is_refused_by_it_too(case: Hostile, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(ArchiveError) as here:
        extract(io.BytesIO(case.tar), tmp_path / "here", Progress())
    with pytest.raises(ArchiveError) as there:
        apart(io.BytesIO(case.tar), tmp_path / "in" / "there")
    assert there.value.as_dict() == here.value.as_dict()
    outside = {str(path.relative_to(tmp_path)).partition("/")[0] for path in tmp_path.rglob("*")}
    assert outside == {"here", "in"}
    assert not Path("/tmp/escaped").exists()


@pytest.mark.parametrize("every", [True, False])
def test_links_that_lead_outside_come_back_as_the_rule_says(every: bool, tmp_path: Path) -> None:
    live = tmp_path / "live ü"
    live.mkdir()
    (live / "known").symlink_to("/etc/known")
    links = [hostile.symlink(b"data/known", b"/etc/known"), hostile.symlink(b"data/new", b"/etc/x")]
    tar, heard = hostile.GOOD + b"".join(links) + hostile.END, Heard()
    apart(io.BytesIO(tar), tmp_path / "t", heard, links=OutsideLinks(every=every, as_in=live))
    assert (tmp_path / "t" / "known").is_symlink()
    assert (tmp_path / "t" / "new").is_symlink() == every
    assert heard.codes == ([] if every else ["LINK_OUTSIDE"])


def test_what_is_wrong_with_the_archive_itself_is_told_as_it_is(tmp_path: Path) -> None:
    class Damaged(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 20 * MIB:
                raise StorageError("the line is broken")
            return super().read(size)

    with pytest.raises(StorageError, match="the line is broken"):
        apart(Damaged(large().getvalue()), tmp_path / "target")


def test_a_run_that_is_to_end_ends_while_the_other_is_behind(tmp_path: Path) -> None:
    class Told(Progress):
        def checkpoint(self) -> None:
            for pid in unpackers():
                os.kill(pid, signal.SIGSTOP)  # as on a disk that does not answer
                raise JobStopped("Cancelled.")

    with pytest.raises(JobStopped):
        apart(large(), tmp_path / "target", Told())


def test_a_process_that_was_killed_is_said_and_nothing_waits_for_it(tmp_path: Path) -> None:
    class Killing(Progress):
        def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
            for pid in unpackers():
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(TargetError) as died:
        apart(large(), tmp_path / "target", Killing())
    assert died.value.code == "UNPACKER_DIED"
    assert "signal 9" in died.value.message


def test_a_service_manager_that_ends_all_processes_does_not_end_it_first(tmp_path: Path) -> None:
    class Ending(Progress):
        def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
            for pid in unpackers():
                os.kill(pid, signal.SIGTERM)

    assert apart(large(), tmp_path / "target", Ending()).files == 6


def test_a_disk_that_is_full_is_said_as_that(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40 * MIB, limit[1]))  # more than the ring has
    try:
        with pytest.raises(TargetError) as full:
            apart(large(), tmp_path / "target")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert full.value.code == "TARGET_NO_SPACE"


FEED = """
import sys, time
from pathlib import Path
from tests.engine.test_apart import apart, large
class Slow:
    def __init__(self):
        self.tar = large(64 << 20)
    def read(self, size):
        time.sleep(0.05)
        return self.tar.read(size)
apart(Slow(), Path(sys.argv[1]))
"""


def test_when_the_one_that_reads_is_killed_nobody_goes_on_writing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FEED, str(tmp_path / "target")]
    reader = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    assert soon(lambda: list(tmp_path.glob("target/sub/*")))
    children = Path(f"/proc/{reader.pid}/task/{reader.pid}/children").read_text().split()
    reader.kill()
    reader.wait()
    assert children
    assert soon(lambda: not any(alive(int(pid)) for pid in children))


def test_it_is_told_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", "a-secret-that-nobody-needs-there")
    seen: list[bytes] = []

    class Looking(Progress):
        def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
            for pid in unpackers():
                with suppress(OSError):  # it has done all, and is gone
                    seen.append(Path(f"/proc/{pid}/environ").read_bytes())

    apart(large(), tmp_path / "target", Looking())
    assert any(seen)
    assert not any(b"a-secret" in environment for environment in seen)


@pytest.mark.parametrize("size", [WORTH - 1, WORTH])
def test_only_a_large_archive_is_worth_a_process(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(unpack_module, "extract_apart", lambda *_, **__: used.append("apart"))
    monkeypatch.setattr(unpack_module, "extract", lambda *_, **__: used.append("here"))
    links = OutsideLinks(every=True)
    unpack(io.BytesIO(), tmp_path, Progress(), size=size, room=Room(), links=links)
    assert used == ["apart" if size == WORTH else "here"]


@pytest.mark.parametrize("broken", HINDRANCES)
def test_where_there_is_no_other_process_this_one_unpacks(
    broken: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    why = {
        "no memory": "not permitted",
        "too little memory": "too large",
        "no python": "No such file",
        "python that fails": "",
    }
    hinder(broken, monkeypatch)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    made = unpack(
        large(), tmp_path, Progress(), size=WORTH, room=Room(), links=OutsideLinks(every=True)
    )
    assert made.files == 6
    (said,) = [line for line in caplog.messages if "one process" in line]
    assert why[broken] in said
    assert (tmp_path / "sub" / "2").stat().st_size == 5 * MIB + 3


@given(st.lists(st.integers(0, 3 * SLOT), max_size=12))
def test_what_is_put_into_the_ring_is_taken_out_of_it(sizes: list[int]) -> None:
    ring = Ring.make()
    other = Ring(ring.descriptor)
    seed = bytearray(os.urandom(3 * SLOT))
    taken = b""
    for size in sizes:
        data = memoryview(seed)[:size]
        while data:
            data = data[ring.put(data) :]
            if ring.full:
                taken += other.take(ring.turn())
    if left := ring.turn():
        taken += other.take(left)
    ring.close()
    assert taken == b"".join(seed[:size] for size in sizes)
