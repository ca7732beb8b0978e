"""Creates one file in an open folder, and fills a short or sparse one from a tar member."""

from __future__ import annotations

import os

from worker.engine.extract.blocks import Piece
from worker.engine.extract.pace import Pace
from worker.engine.extract.tarread import Member

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1024 * 1024


def create(folder: int, name: bytes, mode: int) -> int:
    """A descriptor of a file that was not there before; `name` holds no slash."""
    return os.open(name, _CREATE, mode, dir_fd=folder)


def write_content(descriptor: int, member: Member, pace: Pace) -> None:
    """Write the member's content to the empty file, leaving holes where its map has none."""
    if member.extents is not None:
        _write_sparse(descriptor, member, pace)
    elif member.left:
        _write(descriptor, member.read_all(), pace)


def _write_sparse(descriptor: int, member: Member, pace: Pace) -> None:
    for offset, length in member.extents or ():
        os.lseek(descriptor, offset, os.SEEK_SET)
        _copy(descriptor, member, length, pace)
    os.ftruncate(descriptor, member.size)


def _copy(descriptor: int, member: Member, size: int, pace: Pace) -> None:
    while size:
        piece = member.read(min(size, _CHUNK))
        _write(descriptor, piece, pace)
        size -= len(piece)


def _write(descriptor: int, data: Piece, pace: Pace) -> None:
    done = os.write(descriptor, data)
    while done < len(data):
        done += os.write(descriptor, memoryview(data)[done:])
    pace.content(len(data))
