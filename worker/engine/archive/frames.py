"""Sealed frames: a plain 64-byte header and one Cobblestone-256 message. See docs/format.md.

The header is bound through the context string, so nothing of it can be changed unnoticed. The
position is not, so a frame may be copied from one archive into another inside the bucket; what
pins frames to their place is the manifest. A frame's own key never seals twice: Cobblestone
derives it from 24 random bytes drawn for each message.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from worker.engine.archive.keys import KdfParams, MasterKey
from worker.engine.errors import ArchiveError

MAGIC = b"TARKEEP"
VERSION = 1
KDF_SCRYPT = 1
HEADER_SIZE = 64
MAX_BODY = 64 * 1024 * 1024 + 1024 * 1024  # bytes: no writer seals more, no reader accepts more
CONTEXT = b"tarkeep/v1/frame\0"

COBBLESTONE_CHUNK = 16 * 1024
COBBLESTONE_PREFIX = 24 + 32  # random salt, then key commitment
COBBLESTONE_TAG = 16

# magic, version, kind, kdf, log_n, r, p, reserved, salt, key id, body length, reserved, CRC-32
_HEADER = struct.Struct(">7sB B B B B B 3x 16s 8s Q 12x I")


class Kind(IntEnum):
    SEGMENT = 1
    MANIFEST = 2
    INDEX = 3


@dataclass(frozen=True)
class FrameHeader:
    """What stands in the open before a sealed body of `length` bytes."""

    kind: Kind
    params: KdfParams
    key_id: bytes
    length: int

    def pack(self) -> bytes:
        p = self.params
        fields = (MAGIC, VERSION, self.kind, KDF_SCRYPT, p.log_n, p.r, p.p, p.salt, self.key_id)
        head = _HEADER.pack(*fields, self.length, 0)[:-4]
        return head + struct.pack(">I", zlib.crc32(head))


def sealed_size(size: int) -> int:
    """Length in bytes of the Cobblestone message that `size` bytes become."""
    chunks = size // COBBLESTONE_CHUNK + 1  # the last chunk is always a short one, even empty
    return COBBLESTONE_PREFIX + size + chunks * COBBLESTONE_TAG


def frame_size(size: int) -> int:
    """Length in bytes of the whole frame that `size` bytes become."""
    return HEADER_SIZE + sealed_size(size)


def seal(kind: Kind, plain: bytes | bytearray, master: MasterKey) -> bytearray:
    """The whole frame, header and body."""
    frame = bytearray(frame_size(len(plain)))
    seal_into(memoryview(frame), kind, plain, master)
    return frame


def seal_into(
    room: memoryview, kind: Kind, plain: bytes | bytearray | memoryview, master: MasterKey
) -> memoryview:
    """As `seal`, at the start of `room`, which has at least `frame_size` bytes."""
    length = sealed_size(len(plain))
    header = FrameHeader(kind, master.params, master.key_id, length).pack()
    frame = room[: HEADER_SIZE + length]
    frame[:HEADER_SIZE] = header
    encryptor = Cobblestone256Encryptor(master.secret, context=CONTEXT + header)
    body = frame[HEADER_SIZE:]
    written = encryptor.update_into(plain, body)
    rest = encryptor.finalize()
    body[written : written + len(rest)] = rest
    if written + len(rest) != length:
        raise AssertionError("Cobblestone's length differs from its specification")
    return frame


def parse_header(raw: bytes | memoryview) -> FrameHeader:
    """Read and bound a header. `ArchiveError`: damaged, not a frame, or a newer format."""
    if len(raw) < HEADER_SIZE or bytes(raw[: len(MAGIC)]) != MAGIC:
        raise ArchiveError("There is no frame where one should begin.")
    _, version, kind, kdf, log_n, r, p, salt, key_id, length, crc = _HEADER.unpack(
        raw[:HEADER_SIZE]
    )
    if zlib.crc32(raw[: HEADER_SIZE - 4]) != crc:
        raise ArchiveError("A frame's header is damaged.")
    if version != VERSION or kdf != KDF_SCRYPT or kind not in set(Kind):
        raise ArchiveError(
            f"The archive is of format {version}, which this version does not read.",
            code="FORMAT_UNSUPPORTED",
            hint="Update Tarkeep.",
        )
    if not sealed_size(0) <= length <= MAX_BODY:
        raise ArchiveError(f"A frame claims a length of {length} bytes.")
    params = KdfParams(salt, log_n, r, p)
    params.check()
    return FrameHeader(Kind(kind), params, key_id, length)


def open_frame(header: FrameHeader, body: bytes | memoryview, master: MasterKey) -> bytes:
    """The sealed bytes. Nothing is released unless the whole body is authentic."""
    return bytes(open_into(bytearray(header.length), header, (body,), master))


def open_into(
    room: bytearray, header: FrameHeader, body: Iterable[bytes | memoryview], master: MasterKey
) -> memoryview:
    """As `open_frame`, the body in pieces; what was sealed stands at the start of `room`.

    `room` has at least the header's `length` bytes. One that is used again spares taking fresh
    memory for each frame, which costs three times what opening its seal does.
    """
    decryptor = Cobblestone256Decryptor(master.secret, context=CONTEXT + header.pack())
    view, end = memoryview(room), 0
    try:
        for piece in body:
            end += decryptor.update_into(piece, view[end:])
        last = decryptor.finalize()
    except (InvalidTag, ValueError) as error:
        raise ArchiveError("A frame is damaged, or was tampered with.") from error
    view[end : end + len(last)] = last
    return view[: end + len(last)]
