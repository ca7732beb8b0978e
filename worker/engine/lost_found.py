"""The one folder on a volume that is neither the user's nor ours."""

from __future__ import annotations

import os
import stat


def is_file_systems_own(name: bytes, info: os.stat_result) -> bool:
    """Whether it is the `lost+found` at the top of an ext file system, for fsck's use and root's.

    Inode 11 is kept for it (Linux, "ext4: Special inodes"); a folder of that name somewhere else
    is the user's own.
    """
    return name == b"lost+found" and info.st_ino == 11 and stat.S_ISDIR(info.st_mode)
