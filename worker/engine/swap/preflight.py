"""Is there room for what is to be restored? Asked before a byte is fetched."""

from __future__ import annotations

import os
from pathlib import Path

from worker.engine.catalogue import BackupInfo
from worker.engine.extract.extract import Room
from worker.engine.extract.limits import GIB, MIB, Limits
from worker.engine.extract.target_errors import no_space

MARGIN = 16 * MIB  # left free for whoever else writes there
_HALF_BLOCK = 2048  # what a file takes beyond its length, on average
_HIGHEST_RATIO = 200  # of unpacked to packed size, where nothing says how large it is
_INODES_SPARE = 64


def check_room(folder: Path, backup: BackupInfo) -> Room:
    """What may be unpacked into the folder; `TargetError` (TARGET_NO_SPACE) if too little.

    Where the backup's size is not known its packed size is asked for; the unpacking then
    stops when the space is used up.
    """
    disk = os.statvfs(folder)
    space = disk.f_bavail * disk.f_frsize - MARGIN
    needed, files = _needs(backup)
    if needed > space:
        raise no_space(
            f"The backup needs {_mib(needed)} MiB, {folder} has {_mib(max(space, 0))} MiB to spare"
        )
    if disk.f_files and files + _INODES_SPARE > disk.f_favail:
        raise no_space(f"The backup holds {files} files, {folder} has room for {disk.f_favail}")
    return Room(Limits(total=_largest(backup)), space)


def _needs(backup: BackupInfo) -> tuple[int, int]:
    """(bytes, inodes) that it will take, as far as its metadata says."""
    known = backup.metadata
    if known is None or known.data_size is None:
        return backup.size, 0
    files = known.file_count or 0
    return known.data_size + files * _HALF_BLOCK, files


def _largest(backup: BackupInfo) -> int:
    """Above this size the archive lies about itself, or is a bomb.

    Not exact: files may have grown between the count and the copy.
    """
    known = backup.metadata
    if known is None or known.data_size is None:
        return max(backup.size * _HIGHEST_RATIO, GIB)
    return 2 * known.data_size + GIB


def _mib(size: int) -> int:
    return -(-size // MIB)
