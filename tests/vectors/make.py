"""Write the vectors anew: `python -m tests.vectors.make`. Only after a change of the format.

One text file a vector: `expect:` (OK or the error's code), `about:`, `passphrase:`, `sha256:` of
the tar bytes (when OK), an empty line, then the archive in base64. Sealing draws random bytes,
so new vectors differ from the old ones in every byte and mean the same.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.engine.packing import pack_folder
from worker.engine.archive import manifest
from worker.engine.archive.chunks import ChunkReader
from worker.engine.archive.frames import HEADER_SIZE, Kind, parse_header, seal
from worker.engine.archive.keys import KdfParams, MasterKey, derive
from worker.engine.archive.unpack_frames import unpack_frames

FOLDER = Path(__file__).parent
PASSPHRASE = "a passphrase of more than thirty-two characters"
# The cheapest scrypt that readers accept: what these test is not the derivation's cost.
PARAMS = KdfParams(salt=bytes(range(16)), log_n=10)
OTHER = KdfParams(salt=bytes(range(16, 32)), log_n=10)


def build(master: MasterKey, content: bytes, name: str = "backup.tar.gz") -> bytes:
    with tempfile.TemporaryDirectory() as work:
        data = Path(work) / "data"
        data.mkdir()
        for number in range(3):
            (data / f"{number}.txt").write_bytes(content * (100 * number + 1))
        return pack_folder(data, Path(work) / "w", master=master, segment_size=2048, name=name)


def split(archive: bytes) -> list[bytes]:
    """Frames in order; the manifest's frame and the trailer are the last two."""
    out, at = [], 0
    while len(archive) - at > manifest.TRAILER.size:
        size = HEADER_SIZE + parse_header(archive[at : at + HEADER_SIZE]).length
        out.append(archive[at : at + size])
        at += size
    return [*out, archive[at:]]


def patched(frame: bytes, at: int, value: bytes) -> bytes:
    """A frame whose header says something else, with the CRC made right again."""
    header = bytearray(frame[:HEADER_SIZE])
    header[at : at + len(value)] = value
    header[-4:] = struct.pack(">I", zlib.crc32(header[:-4]))
    return bytes(header) + frame[HEADER_SIZE:]


def flipped(data: bytes, at: int) -> bytes:
    out = bytearray(data)
    out[at] ^= 1
    return bytes(out)


def write(name: str, expect: str, about: str, archive: bytes, passphrase: str = PASSPHRASE) -> None:
    lines = [f"expect: {expect}", f"about: {about}", f"passphrase: {passphrase}"]
    if expect == "OK":
        source = ChunkReader(iter([archive]), lambda _: None)
        tar = b"".join(unpack_frames(source, (passphrase,), name=None))
        lines.append(f"sha256: {hashlib.sha256(tar).hexdigest()}")
    body = base64.encodebytes(archive).decode()
    (FOLDER / f"{name}.txt").write_text("\n".join(lines) + "\n\n" + body)


def main() -> None:
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    master = derive(PASSPHRASE, PARAMS)
    whole = build(master, b"tarkeep ")
    frames = split(whole)
    first, second, *_ = frames
    last = len(frames) - 2  # the manifest
    join: Callable[[list[bytes]], bytes] = b"".join

    write("valid", "OK", "three small files", whole)
    write("valid-unicode-key", "OK", "a passphrase beyond ASCII", _unicode(), "ключ " * 7)
    write("key-wrong", "ENCRYPTION_KEY_WRONG", "sealed with another passphrase", whole, "x" * 40)
    write("header-flip", "ARCHIVE_DAMAGED", "one bit of the salt in a header", flipped(whole, 20))
    write("magic", "ARCHIVE_DAMAGED", "the second frame has no magic",
          join([first, b"X" + second[1:], *frames[2:]]))  # fmt: skip
    write("body-flip", "ARCHIVE_DAMAGED", "one bit of a sealed body", flipped(whole, 200))
    write("commitment-flip", "ARCHIVE_DAMAGED", "one bit of a key commitment",
          flipped(whole, HEADER_SIZE + 30))  # fmt: skip
    write("version-2", "FORMAT_UNSUPPORTED", "a format of the future",
          join([patched(first, 7, b"\2"), *frames[1:]]))  # fmt: skip
    write("scrypt-cost", "FORMAT_UNSUPPORTED", "scrypt with N of 2 to the 40",
          join([patched(first, 10, bytes([40])), *frames[1:]]))  # fmt: skip
    write("length-huge", "ARCHIVE_DAMAGED", "a body of 2 to the 60 bytes",
          join([patched(first, 40, struct.pack(">Q", 2**60)), *frames[1:]]))  # fmt: skip
    write("kind-changed", "ARCHIVE_DAMAGED", "a segment that calls itself the manifest",
          join([patched(first, 8, b"\2"), *frames[1:]]))  # fmt: skip
    write("index-inside", "ARCHIVE_DAMAGED", "a frame of the index stands in the archive",
          join([bytes(seal(Kind.INDEX, b"x", master)), *frames]))  # fmt: skip
    write("dropped-first", "ARCHIVE_DAMAGED", "the first frame is gone", join(frames[1:]))
    write("dropped-last", "ARCHIVE_DAMAGED", "the last segment is gone",
          join([*frames[: last - 1], *frames[last:]]))  # fmt: skip
    write("doubled", "ARCHIVE_DAMAGED", "the first frame comes twice", join([first, *frames]))
    write("reordered", "ARCHIVE_DAMAGED", "the first two frames have changed places",
          join([second, first, *frames[2:]]))  # fmt: skip
    other = split(build(master, b"another ", "other.tar.gz"))
    write("foreign-frame", "FRAME_FOREIGN", "the first frame is another backup's",
          join([other[0], *frames[1:]]))  # fmt: skip
    write("foreign-manifest", "FRAME_FOREIGN", "the manifest is another backup's",
          join([*frames[:last], *other[-2:]]))  # fmt: skip
    rekeyed = split(build(derive(PASSPHRASE, OTHER), b"tarkeep "))
    write("foreign-key", "FRAME_FOREIGN", "a frame under another salt in the middle",
          join([first, rekeyed[1], *frames[2:]]))  # fmt: skip
    write("no-manifest", "MANIFEST_MISSING", "ends before the manifest", join(frames[:last]))
    write("no-trailer", "MANIFEST_MISSING", "ends behind the manifest", join(frames[:-1]))
    write("trailer-cut", "MANIFEST_MISSING", "ends inside the trailer", whole[:-3])
    write("trailer-lies", "ARCHIVE_DAMAGED", "the trailer tells another length",
          whole[:-1] + bytes([whole[-1] ^ 1]))  # fmt: skip
    write("trailing-byte", "ARCHIVE_DAMAGED", "one byte follows the trailer", whole + b"x")
    write("cut-in-header", "ARCHIVE_TRUNCATED", "ends inside a header", whole[: len(first) + 30])
    write("cut-in-body", "ARCHIVE_TRUNCATED", "ends inside a body", whole[: len(first) - 5])
    write("empty", "MANIFEST_MISSING", "no bytes at all", b"")
    write("manifest-only", "ARCHIVE_DAMAGED", "nothing but the manifest", join(frames[last:]))


def _unicode() -> bytes:
    return build(derive("ключ " * 7, PARAMS), b"tarkeep ")


if __name__ == "__main__":
    main()
