"""Reading tar streams as other programs write them, and as little as asked at a time."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import hostile
from worker.engine.archive import tarwrite
from worker.engine.errors import ArchiveError
from worker.engine.extract.tarheader import DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK
from worker.engine.extract.tarread import Member, read_members

NANO = 1_000_000_000
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
KINDS = {
    tarfile.REGTYPE: FILE,
    tarfile.DIRTYPE: DIRECTORY,
    tarfile.SYMTYPE: SYMLINK,
    tarfile.LNKTYPE: HARDLINK,
    tarfile.FIFOTYPE: FIFO,
}

name_part = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda text: text not in (".", ".."))
names = st.lists(name_part, min_size=1, max_size=6).map("/".join)


class Drip:
    """A stream that gives at most so many bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._stream, self._step = io.BytesIO(data), step

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, self._step))


def read(data: bytes, step: int = 1 << 20) -> list[tuple[Member, bytes]]:
    return [(member, content(member)) for member in read_members(Drip(data, step))]


def content(member: Member) -> bytes:
    return b"".join(iter(lambda: member.read(1000), b""))


@st.composite
def python_members(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo("data/" + draw(names))
    info.type = draw(st.sampled_from(sorted(KINDS)))
    body = draw(st.binary(max_size=2000)) if info.type == tarfile.REGTYPE else b""
    info.size = len(body)
    info.mode = draw(st.integers(0, 0o7777))
    info.uid, info.gid = draw(st.integers(0, 2**32 - 2)), draw(st.integers(0, 2**32 - 2))
    info.uname = draw(st.sampled_from(["", "me", "wörk"]))
    info.mtime = draw(st.integers(-(2**33), 2**40))
    if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info.linkname = draw(names)
    return info, body


@given(
    members=st.lists(python_members(), max_size=6),
    how=st.sampled_from(["gnu", "pax"]),
    step=st.sampled_from([1, 511, 512, 513, 1 << 20]),
)
def test_what_pythons_tarfile_writes_is_read_as_it_was(
    members: list[tuple[tarfile.TarInfo, bytes]], how: str, step: int
) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=FORMATS[how], encoding="utf-8") as tar:
        for info, body in members:
            tar.addfile(info, io.BytesIO(body))
    found = read(archive.getvalue(), step)
    assert [body for _, body in found] == [body for _, body in members]
    for (member, _), (info, _) in zip(found, members, strict=True):
        assert member.path.decode().removesuffix("/") == info.name
        assert member.link.decode() == info.linkname
        assert member.kind == KINDS[info.type]
        numbers = (member.mode, member.uid, member.gid, member.size, member.mtime)
        assert numbers == (info.mode, info.uid, info.gid, info.size, info.mtime * NANO)
        assert member.uname.decode() == info.uname


@st.composite
def own_entries(draw: st.DrawFn) -> tuple[tarwrite.TarEntry, bytes]:
    kind = draw(st.sampled_from([FILE, SYMLINK, HARDLINK]))
    body = draw(st.binary(max_size=2000)) if kind == FILE else b""
    raw = st.binary(min_size=1, max_size=300).map(lambda b: b.replace(b"\0", b"0"))
    entry = tarwrite.TarEntry(
        path=b"data/" + draw(raw).rstrip(b"/") + b"x",
        kind=kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, 2**32 - 2)),
        gid=draw(st.integers(0, 2**32 - 2)),
        size=len(body),
        mtime_ns=draw(st.integers(-(2**62), 2**62)),
        link=b"" if kind == FILE else draw(raw),
        xattrs=draw(st.dictionaries(st.just(b"user.a"), st.binary(min_size=1, max_size=50))),
    )
    return entry, body


@given(entries=st.lists(own_entries(), max_size=6))
def test_what_our_own_writer_writes_is_read_to_the_last_bit(
    entries: list[tuple[tarwrite.TarEntry, bytes]],
) -> None:
    archive = b"".join(
        tarwrite.header(entry) + body + tarwrite.padding(len(body)) for entry, body in entries
    )
    found = read(archive + tarwrite.END_OF_ARCHIVE)
    for (member, body), (entry, wanted) in zip(found, entries, strict=True):
        assert body == wanted
        for name in ("path", "kind", "mode", "uid", "gid", "size", "link", "xattrs"):
            assert getattr(member, name) == getattr(entry, name)
        assert member.mtime == entry.mtime_ns


@given(data=st.binary(max_size=4000))
def test_random_bytes_are_refused_by_name_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        read(data)


@given(at=st.integers(0, 6 * 512 - 1), bit=st.integers(0, 7))
def test_one_flipped_bit_never_ends_in_another_error(at: int, bit: int) -> None:
    whole = bytearray(
        hostile.pax((b"mtime", b"1.5"), (b"path", b"data/a")) + hostile.file(b"x") + hostile.END
    )
    whole[at] ^= 1 << bit
    try:
        found = read(bytes(whole))
    except ArchiveError:
        return
    assert len(found) == 1  # only content or padding was hit


@pytest.mark.parametrize("how", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_what_gnu_tar_writes_is_read(how: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    long = "/".join(["n" * 60] * (3 if how in ("ustar", "gnu", "oldgnu", "posix") else 1))
    (data / long).mkdir(parents=True)
    (data / long / "file").write_bytes(b"x" * 1000)
    (data / "link").symlink_to("file")
    out = subprocess.run(
        ["tar", "-c", f"--format={how}", "-C", str(tmp_path), "data"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    found = {member.path.decode(): body for member, body in read(out)}
    assert found[f"data/{long}/file"] == b"x" * 1000
    assert found["data/link"] == b""


@pytest.mark.parametrize(
    "how",
    [["--format=oldgnu"], ["--format=posix", "--sparse-version=0.1"], ["--format=posix"]],
    ids=["old GNU", "PAX 0.1", "PAX 1.0"],
)
@pytest.mark.parametrize("parts", [0, 1, 3, 30])
def test_a_sparse_file_of_gnu_tar_is_read_with_its_map(
    how: list[str], parts: int, tmp_path: Path
) -> None:
    path = tmp_path / "data"
    with path.open("wb") as out:
        for number in range(parts):
            out.seek(number * 65536)
            out.write(b"%04d" % number * 1024)
        out.truncate(parts * 65536 + 1_000_000)
    archive = subprocess.run(
        ["tar", "-c", "-S", *how, "-C", str(tmp_path), "data"], capture_output=True, check=True
    ).stdout
    ((member, body),) = read(archive)
    assert member.path == b"data"
    assert filled(member, body) == path.read_bytes()
    assert len(body) == parts * 4096


def filled(member: Member, body: bytes) -> bytes:
    out = bytearray(member.size)
    for offset, length in member.extents or ():
        out[offset : offset + length], body = body[:length], body[length:]
    return bytes(out)


def test_a_sparse_file_in_the_oldest_pax_format_is_said_to_be_unsupported() -> None:
    records = hostile.pax((b"GNU.sparse.size", b"9"), (b"GNU.sparse.numblocks", b"0"))
    with pytest.raises(ArchiveError) as refused:
        read(records + hostile.file(b"data/a", b"") + hostile.END)
    assert refused.value.code == "FORMAT_UNSUPPORTED"


def test_content_that_was_not_asked_for_is_skipped() -> None:
    tar = hostile.file(b"data/a", b"a" * 2000) + hostile.file(b"data/b") + hostile.END
    assert [member.path for member in read_members(io.BytesIO(tar))] == [b"data/a", b"data/b"]


def test_the_stream_is_read_to_its_very_end() -> None:
    stream = io.BytesIO(hostile.GOOD + hostile.END + bytes(10240))
    list(read_members(stream))
    assert stream.read() == b""


def test_a_folder_and_a_file_in_the_spelling_of_version_7_are_known() -> None:
    tar = hostile.header(b"data/", b"\0") + hostile.header(b"data/f", b"\0") + hostile.END
    assert [member.kind for member in read_members(io.BytesIO(tar))] == [DIRECTORY, FILE]


def test_an_empty_pax_value_takes_the_plain_header_back() -> None:
    tar = hostile.pax((b"path", b"data/b"), (b"path", b"")) + hostile.file(b"data/a") + hostile.END
    assert [member.path for member in read_members(io.BytesIO(tar))] == [b"data/a"]


def test_a_global_header_gives_an_owner_to_all() -> None:
    tar = hostile.pax((b"uid", b"7"), (b"comment", b"x"), kind=b"g") + hostile.GOOD + hostile.END
    assert [member.uid for member in read_members(io.BytesIO(tar))] == [7, 7]


def test_a_volume_label_is_passed_over() -> None:
    tar = hostile.header(b"label", b"V") + hostile.GOOD + hostile.END
    assert len(list(read_members(io.BytesIO(tar)))) == 2
