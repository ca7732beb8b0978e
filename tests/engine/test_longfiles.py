"""Long files are written past the page cache, and come back whole whatever their size is."""

from __future__ import annotations

import errno
import io
import os
import resource
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.packing import Heard
from worker.engine.errors import TargetError
from worker.engine.extract import longfiles
from worker.engine.extract.extract import extract
from worker.engine.extract.longfiles import LONG
from worker.engine.progress import Progress

MIB = 1024 * 1024
STAMP = 1_600_000_000
SEED = os.urandom(MIB)
NEAR = st.tuples(
    st.sampled_from([LONG, MIB, 2 * MIB, 9 * MIB]), st.sampled_from([-4097, -4096, -1, 0, 1, 4096])
).map(sum)


def content(size: int, zeros: range) -> bytes:
    """`size` bytes, those of the MiBs in `zeros` all zero."""
    blocks = (bytes(MIB) if number in zeros else SEED for number in range(size // MIB + 1))
    return b"".join(blocks)[:size]


def archive(files: dict[str, bytes]) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"data/{name}")
            member.size, member.mtime, member.mode = len(data), STAMP, 0o640
            tar.addfile(member, io.BytesIO(data))
    stream.seek(0)
    return stream


def open_files() -> set[str]:
    """The listing's own descriptor, and those of other threads, may be gone when looked at."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return found


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    sizes=st.lists(NEAR, min_size=1, max_size=30),
    zeros=st.sampled_from([range(0), range(1, 3), range(9)]),
)
def test_every_byte_comes_back(tmp_path_factory, sizes: list[int], zeros: range) -> None:
    target = tmp_path_factory.mktemp("target")
    files = {f"{number}": content(size, zeros) for number, size in enumerate(sizes)}
    extract(archive(files), target, Progress())
    for name, data in files.items():
        found = (target / name).stat()
        assert (target / name).read_bytes() == data
        assert (found.st_mtime, found.st_mode & 0o777) == (STAMP, 0o640)


@pytest.mark.parametrize("size", [4 * MIB, 4 * MIB + 100])
def test_zeros_become_holes(tmp_path: Path, size: int) -> None:
    extract(archive({"a": content(size, range(1, 5))}), tmp_path, Progress())
    assert (tmp_path / "a").stat().st_size == size
    assert (tmp_path / "a").stat().st_blocks * 512 < 2 * MIB


def test_what_cannot_be_written_directly_is_written_ordinarily(tmp_path: Path) -> None:
    """A place or size that is no multiple of a sector is refused, as some file systems do all."""
    with (tmp_path / "a").open("wb") as file:
        if not longfiles._set_direct(file.fileno(), on=True):
            assert not os.environ.get("CI"), "CI's file system is to know direct writes"
            pytest.skip("this file system knows no direct writes")
        with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
            os.pwrite(file.fileno(), SEED[:100], 3)
        longfiles._write_at(file.fileno(), memoryview(SEED)[:100], 3)
    assert (tmp_path / "a").read_bytes() == bytes(3) + SEED[:100]


def test_a_write_that_fails_is_told_and_leaves_no_file_open(tmp_path: Path) -> None:
    """The limit stands for a full disk: it fails the write in the other thread alike."""
    files = {f"{number}": SEED * 3 for number in range(40)}
    before, limit = open_files(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, limit[1]))
    try:
        with pytest.raises(TargetError):
            extract(archive(files), tmp_path, Heard())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not {name for name in open_files() - before if str(tmp_path) in name}


def test_an_archive_in_the_smallest_of_pieces_comes_back_in_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece costs memory: a million of them for a block would be a bomb."""

    class Crumbs(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 1, 7))

    most, write = [0], longfiles.Writer.write

    def counted(self: longfiles.Writer, descriptor: int, pieces: list[memoryview], at: int) -> None:
        most.append(len(pieces))
        write(self, descriptor, pieces, at)

    monkeypatch.setattr(longfiles.Writer, "write", counted)
    data = SEED[: 2 * LONG + 5]
    extract(Crumbs(archive({"a": data}).getvalue()), tmp_path, Progress())
    assert (tmp_path / "a").read_bytes() == data
    assert max(most) == 1
