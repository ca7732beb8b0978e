"""The list of all frames of one archive, sealed as its last frame. See docs/format.md.

Payload: 4 bytes length of a JSON object, the object (name and time of the backup, the index's
checksum, counts), then 104 bytes a frame in order: frame length and unpacked length (8 bytes
each), the message's salt (24) and key commitment (32), SHA-256 of the whole frame (32).
All numbers big-endian. A short plain trailer behind the manifest's frame says how long that
frame is, so that it can be fetched from the end; it is a hint and is checked like one.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.engine.archive.frames import COBBLESTONE_PREFIX, HEADER_SIZE, MAX_BODY
from worker.engine.errors import ArchiveError

FORMAT = 1
RECORD = struct.Struct(">QQ24s32s32s")
TRAILER = struct.Struct(">8sQ")
TRAILER_MAGIC = b"TKPEND\x00\x01"
Bytes = bytes | bytearray | memoryview
IDENTITY_SIZE = RECORD.size - hashlib.sha256().digest_size
_LENGTH = struct.Struct(">I")


def record(header: Bytes, body: Bytes, raw_length: int) -> bytes:
    """The manifest's 104 bytes for a frame that unpacks to `raw_length` bytes."""
    return record_of_pieces(header, (body,), raw_length)


def record_of_pieces(header: Bytes, body: Sequence[Bytes], raw_length: int) -> bytes:
    """The same, of a body in pieces."""
    digest = hashlib.sha256(header)
    for piece in body:
        digest.update(piece)
    return identity(header, body, raw_length) + digest.digest()


def identity(header: Bytes, body: Sequence[Bytes], raw_length: int) -> bytes:
    """A record without its SHA-256. Once the frame's seal was opened it tells as much: no two
    frames have the same salt, and nobody without the key makes another body for this one."""
    size, start = len(header), b""
    for piece in body:
        size += len(piece)
        start += bytes(piece[: COBBLESTONE_PREFIX - len(start)])
    return RECORD.pack(size, raw_length, start[:24], start[24:], b"")[:IDENTITY_SIZE]


@dataclass
class Manifest:
    """`name` is the archive's key without the prefix, `created` ISO 8601 UTC."""

    name: str
    created: str
    index_size: int = 0
    index_sha256: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    records: bytearray = field(default_factory=bytearray, repr=False)

    @property
    def count(self) -> int:
        return len(self.records) // RECORD.size

    def rows(self) -> Iterator[tuple[int, int, bytes, bytes, bytes]]:
        """Length, unpacked length, salt, commitment and SHA-256 of each frame, in order."""
        return RECORD.iter_unpack(self.records)

    def dump(self) -> bytes:
        head = {
            **self.extra,
            "format": FORMAT,
            "name": self.name,
            "created": self.created,
            "frames": self.count,
            "indexSize": self.index_size,
            "indexSha256": self.index_sha256,
        }
        text = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
        return _LENGTH.pack(len(text)) + text + self.records


def load(payload: bytes) -> Manifest:
    """Read an opened manifest. Raises `ArchiveError` when it is not whole."""
    try:
        (length,) = _LENGTH.unpack_from(payload)
        head = json.loads(payload[_LENGTH.size : _LENGTH.size + length])
        records = bytearray(payload[_LENGTH.size + length :])
        manifest = Manifest(
            name=str(head.pop("name")),
            created=str(head.pop("created")),
            index_size=int(head.pop("indexSize")),
            index_sha256=str(head.pop("indexSha256")),
            records=records,
        )
        count, version = int(head.pop("frames")), int(head.pop("format"))
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArchiveError("The archive's manifest cannot be read.") from error
    if version != FORMAT:
        raise ArchiveError(
            f"The manifest is of format {version}, which this version does not read.",
            code="FORMAT_UNSUPPORTED",
            hint="Update Tarkeep.",
        )
    if len(records) != count * RECORD.size:
        raise ArchiveError("The archive's manifest is not whole.")
    manifest.extra = head
    return manifest


def trailer(manifest_frame: bytes | bytearray) -> bytes:
    return TRAILER.pack(TRAILER_MAGIC, len(manifest_frame))


def parse_trailer(raw: bytes) -> int:
    """Length in bytes of the manifest's frame, which ends right before the trailer."""
    if len(raw) == TRAILER.size:
        magic, length = TRAILER.unpack(raw)
        if magic == TRAILER_MAGIC and HEADER_SIZE <= length <= HEADER_SIZE + MAX_BODY:
            return int(length)
    raise ArchiveError(
        "The archive does not end where it should: its manifest is missing.",
        code="MANIFEST_MISSING",
        hint="It was cut off or never finished. Restore another backup.",
    )


def compare(have: Sequence[bytes], manifest: Manifest) -> None:
    """Check the frames read against the manifest, each by its record or by its identity alone.

    Says what differs.
    """
    length = len(have[0]) if have else RECORD.size
    told = [
        bytes(manifest.records[at : at + length])
        for at in range(0, len(manifest.records), RECORD.size)
    ]
    if have == told:
        return
    foreign = set(have) - set(told)
    if foreign:
        raise ArchiveError(
            f"{len(foreign)} frames do not belong to this backup.",
            code="FRAME_FOREIGN",
            hint="The archive was put together from several. Restore another backup.",
        )
    if sorted(have) == sorted(told):
        raise ArchiveError("The archive's frames are not in their order.")
    raise ArchiveError(
        f"The archive has {len(have)} frames where its manifest lists {len(told)}.",
    )
