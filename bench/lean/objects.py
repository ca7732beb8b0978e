"""What the server keeps: objects as lists of pieces of files, so that copying moves no byte."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

_SERIAL = itertools.count(1)


@dataclass(frozen=True)
class Piece:
    """`size` bytes from `start` of a file that never changes once it is written."""

    path: Path
    start: int
    size: int


@dataclass(frozen=True)
class Object:
    """`headers`: those of the request that made it which a GET gives back."""

    pieces: tuple[Piece, ...]
    etag: str
    headers: tuple[tuple[str, str], ...] = ()
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def size(self) -> int:
        return sum(piece.size for piece in self.pieces)


@dataclass
class Upload:
    key: str
    headers: tuple[tuple[str, str], ...]
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    parts: dict[int, Object] = field(default_factory=dict)


@dataclass
class Bucket:
    folder: Path
    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)


def new_file(bucket: Bucket) -> Path:
    return bucket.folder / f"{next(_SERIAL):08}"


def new_etag(count: int = 1) -> str:
    """None of a body's MD5, and by its form no client takes it for one."""
    return f'"{next(_SERIAL):032x}-{count}"'


def cut(pieces: Iterable[Piece], start: int, size: int) -> tuple[Piece, ...]:
    """The bytes from `start` on of all pieces together, `size` of them."""
    found, at = [], 0
    for piece in pieces:
        low, high = max(start, at), min(start + size, at + piece.size)
        if low < high:
            found.append(Piece(piece.path, piece.start + low - at, high - low))
        at += piece.size
    return tuple(found)
