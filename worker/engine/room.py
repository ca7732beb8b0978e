"""Is there room for what is to be unpacked, and how much may it be? Asked before a byte is fetched.

Above its bounds an archive lies about itself, or is a bomb. They are not exact: files may have
grown between the count and the copy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from worker.engine.catalogue import BackupInfo
from worker.engine.errors import TargetError
from worker.engine.extract.extract import Room
from worker.engine.extract.limits import GIB, MIB, Limits
from worker.engine.extract.target_errors import no_space
from worker.engine.swap.copies import all_copies

MARGIN = 16 * MIB  # left free for whoever else writes there
HALF_BLOCK = 2048  # what a file takes beyond its length, on average
_HIGHEST_RATIO = 200  # of unpacked to packed size, where nothing says how large it is
_INODES_SPARE = 64


def limits_of(backup: BackupInfo) -> Limits:
    """What may be unpacked of all of it."""
    known = backup.metadata
    if known is None or known.data_size is None:
        return Limits(total=max(backup.size * _HIGHEST_RATIO, GIB))
    return Limits(total=2 * known.data_size + GIB)


def room_for_all(folder: Path, backup: BackupInfo) -> Room:
    """Of a whole backup. `TargetError` (TARGET_NO_SPACE) if there is too little.

    Where the backup's size is not known its packed size is asked for; the unpacking then
    stops when the space is used up.
    """
    known = backup.metadata
    if known is None or known.data_size is None:
        return _checked(folder, 0, backup.size, limits_of(backup))
    entries = (known.file_count or 0) + (known.folder_count or 0)
    return _checked(folder, entries, known.data_size + entries * HALF_BLOCK, limits_of(backup))


def room_for_part(folder: Path, entries: int, size: int) -> Room:
    """Of so many files, links and folders with so many bytes. TARGET_NO_SPACE."""
    return _checked(folder, entries, size + entries * HALF_BLOCK, Limits(total=2 * size + GIB))


def free_space(folder: Path) -> int:
    """Bytes that may be written there."""
    disk = os.statvfs(folder)
    return max(disk.f_bavail * disk.f_frsize - MARGIN, 0)


def keep(file: IO[bytes], pieces: Iterator[bytes], free: int) -> None:
    """Write the pieces to a temporary file; TARGET_NO_SPACE beyond `free` bytes."""
    for piece in pieces:
        free -= len(piece)
        if free < 0:
            raise no_space("What was asked for unpacks to more than BACKUP_TEMP_DIR has space for")
        file.write(piece)


@contextmanager
def naming_copies(data_dir: Path) -> Iterator[None]:
    """Where there turns out to be no room, the hint names the safety copies, to remove one."""
    try:
        yield
    except TargetError as error:
        found = all_copies(data_dir) if error.code == "TARGET_NO_SPACE" else []
        if not found:
            raise
        said = (f"{one.path.name}{_size(one.about.bytes if one.about else -1)}" for one in found)
        hint = f"{error.hint} Safety copies are kept: {', '.join(said)}. When one is not needed any"
        more = f"{hint} more: tarkeep copies --remove NAME"
        raise TargetError(error.message, hint=more, code=error.code) from error


def _size(count: int) -> str:
    return f" ({_mib(count)} MiB)" if count >= 0 else ""


def _checked(folder: Path, inodes: int, needed: int, limits: Limits) -> Room:
    disk, free = os.statvfs(folder), free_space(folder)
    if needed > free:
        raise no_space(f"{_mib(needed)} MiB are needed, {folder} has {_mib(free)} MiB to spare")
    if disk.f_files and inodes + _INODES_SPARE > disk.f_favail:
        raise no_space(f"{inodes} files and folders come, {folder} has room for {disk.f_favail}")
    return Room(limits, free)


def _mib(size: int) -> int:
    return -(-size // MIB)
