"""Reading archives back: whatever is wrong with one is said as what it is."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.packing import pack_folder
from worker.engine.archive import manifest
from worker.engine.archive.chunks import ChunkReader
from worker.engine.archive.frames import HEADER_SIZE, parse_header
from worker.engine.archive.keys import KdfParams, MasterKey, derive
from worker.engine.archive.unpack_frames import unpack_frames
from worker.engine.archive.unpack_gzip import unpack_gzip
from worker.engine.errors import ArchiveError, KeyMismatch

PASSPHRASE = "a passphrase of more than thirty-two characters"
CHEAP = KdfParams(salt=bytes(16), log_n=10)  # fast: what is tested here is not the derivation


@pytest.fixture(scope="module")
def master() -> MasterKey:
    return derive(PASSPHRASE, CHEAP)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory, master: MasterKey) -> bytes:
    return make(tmp_path_factory, master, "backup.tar.gz", b"first")


def make(factory: pytest.TempPathFactory, master: MasterKey, name: str, content: bytes) -> bytes:
    base = factory.mktemp("sealed")
    (base / "data").mkdir()
    for number in range(5):
        (base / "data" / f"{number}.txt").write_bytes(content * (200 * number + 1))
    return pack_folder(base / "data", base / "work", master=master, segment_size=2048, name=name)


def chunked(data: bytes, size: int) -> Iterator[bytes]:
    return iter([data[i : i + size] for i in range(0, len(data), size)])


def opened(
    archive: bytes,
    *,
    passphrases: tuple[str, ...] = (PASSPHRASE,),
    name: str | None = None,
    chunk: int = 1000,
) -> bytes:
    source = ChunkReader(chunked(archive, chunk), lambda _: None)
    return b"".join(unpack_frames(source, passphrases, name=name))


def frames(archive: bytes) -> list[bytes]:
    """The archive cut into its frames, the trailer last."""
    out, at = [], 0
    while len(archive) - at > manifest.TRAILER.size:
        size = HEADER_SIZE + parse_header(archive[at : at + HEADER_SIZE]).length
        out.append(archive[at : at + size])
        at += size
    return [*out, archive[at:]]


def code_of(archive: bytes, **options: object) -> str:
    with pytest.raises(ArchiveError) as caught:
        opened(archive, **options)  # type: ignore[arg-type]
    return caught.value.code


@pytest.mark.parametrize("chunk", [1, 63, 64, 65, 1000, 10**7])
def test_a_sealed_archive_gives_its_tar(sealed: bytes, chunk: int) -> None:
    with tarfile.open(fileobj=io.BytesIO(opened(sealed, chunk=chunk))) as tar:
        assert sorted(tar.getnames()) == ["data", *(f"data/{n}.txt" for n in range(5))]


def test_a_previous_key_opens_an_old_archive(sealed: bytes) -> None:
    assert opened(sealed, passphrases=("another key of at least 32 characters", PASSPHRASE))


def test_a_wrong_key_is_said_as_such(sealed: bytes) -> None:
    with pytest.raises(KeyMismatch) as caught:
        opened(sealed, passphrases=("another key of at least 32 characters",))
    assert caught.value.code == "ENCRYPTION_KEY_WRONG"


def test_a_missing_key_is_said_as_such(sealed: bytes) -> None:
    assert code_of(sealed, passphrases=()) == "ENCRYPTION_KEY_MISSING"


def test_every_flipped_byte_is_found(sealed: bytes) -> None:
    for at in range(len(sealed)):
        broken = bytearray(sealed)
        broken[at] ^= 1
        with pytest.raises(ArchiveError) as caught:
            opened(bytes(broken), chunk=10**7)
        assert not isinstance(caught.value, KeyMismatch), f"byte {at}"


def test_every_cut_is_found(sealed: bytes) -> None:
    edges = {0}
    for frame in frames(sealed):
        edges.add(max(edges) + len(frame))
    for size in range(len(sealed)):
        code = code_of(sealed[:size], chunk=10**7)
        allowed = {"MANIFEST_MISSING"} if size in edges else {"ARCHIVE_TRUNCATED"}
        after_manifest = len(sealed) - size < manifest.TRAILER.size
        assert code in ({"MANIFEST_MISSING"} if after_manifest else allowed), size


def test_every_swap_of_two_frames_is_found(sealed: bytes) -> None:
    parts = frames(sealed)
    for one in range(len(parts) - 2):
        for two in range(one + 1, len(parts) - 2):
            swapped = list(parts)
            swapped[one], swapped[two] = swapped[two], swapped[one]
            assert code_of(b"".join(swapped)) == "ARCHIVE_DAMAGED"


def test_a_dropped_and_a_doubled_frame_are_found(sealed: bytes) -> None:
    parts = frames(sealed)
    assert code_of(b"".join(parts[1:])) == "ARCHIVE_DAMAGED"
    assert code_of(b"".join([parts[0], *parts])) == "ARCHIVE_DAMAGED"


def test_a_frame_of_another_backup_is_called_foreign(
    tmp_path_factory: pytest.TempPathFactory, sealed: bytes, master: MasterKey
) -> None:
    other = frames(make(tmp_path_factory, master, "other.tar.gz", b"second"))
    parts = frames(sealed)
    assert code_of(b"".join([other[0], *parts[1:]])) == "FRAME_FOREIGN"


def test_another_backup_under_this_name_is_called_foreign(sealed: bytes) -> None:
    assert opened(sealed, name="backup.tar.gz")
    assert code_of(sealed, name="newer.tar.gz") == "FRAME_FOREIGN"


def test_bytes_behind_the_end_are_found(sealed: bytes) -> None:
    assert code_of(sealed + b"x") == "ARCHIVE_DAMAGED"


@pytest.mark.parametrize("field", [9, 10, 11, 12])
def test_costs_out_of_bounds_are_refused_before_they_are_paid(sealed: bytes, field: int) -> None:
    header = bytearray(sealed[:HEADER_SIZE])
    header[field] = 40
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "big")
    assert code_of(bytes(header) + sealed[HEADER_SIZE:]) == "FORMAT_UNSUPPORTED"


def gunzipped(data: bytes, chunk: int) -> bytes:
    return b"".join(unpack_gzip(ChunkReader(chunked(data, chunk), lambda _: None)))


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.binary(max_size=5000), min_size=1, max_size=5),
    chunk=st.sampled_from([1, 2, 17, 512, 10**6]),
    zeros=st.sampled_from([0, 1, 3, 5000]),
)
def test_many_gzip_members_are_read_to_the_end(pieces: list[bytes], chunk: int, zeros: int) -> None:
    data = b"".join(gzip.compress(piece) for piece in pieces) + bytes(zeros)
    assert gunzipped(data, chunk) == b"".join(pieces)


def test_a_cut_gzip_is_truncated_at_every_length() -> None:
    data = gzip.compress(os.urandom(500)) + gzip.compress(b"second" * 50)
    first = len(gzip.compress(os.urandom(500)))
    for size in range(1, len(data)):
        if size == first:
            continue  # a whole member: the tar reader above knows that more must come
        with pytest.raises(ArchiveError) as caught:
            gunzipped(data[:size], 10**6)
        assert caught.value.code in {"ARCHIVE_TRUNCATED", "ARCHIVE_DAMAGED"}


def test_garbage_behind_a_gzip_is_refused() -> None:
    with pytest.raises(ArchiveError):
        gunzipped(gzip.compress(b"x") + b"garbage", 10**6)
    with pytest.raises(ArchiveError):
        gunzipped(gzip.compress(b"x") + bytes(100) + b"garbage", 10)


def test_a_gzip_bomb_is_unpacked_a_mebibyte_at_a_time() -> None:
    bomb = gzip.compress(bytes(100 * 1024 * 1024))
    source = ChunkReader(iter([bomb]), lambda _: None)
    assert max(len(piece) for piece in unpack_gzip(source)) <= 1024 * 1024
