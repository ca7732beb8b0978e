"""Make folders of every odd kind, and compare two of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def describe(root: Path) -> dict[bytes, tuple[object, ...]]:
    """Every path below `root` with what a backup must keep of it."""
    found: dict[bytes, tuple[object, ...]] = {}
    base = os.fsencode(root)
    for folder, names, files in os.walk(base):
        for name in [*names, *files]:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            found[path[len(base) + 1 :]] = (
                stat.S_IFMT(info.st_mode),
                stat.S_IMODE(info.st_mode),
                0 if stat.S_ISLNK(info.st_mode) else info.st_mtime_ns,
                _content(path, info),
            )
    return found


def _content(path: bytes, info: os.stat_result) -> bytes:
    if stat.S_ISLNK(info.st_mode):
        return os.readlink(path)
    return Path(os.fsdecode(path)).read_bytes() if stat.S_ISREG(info.st_mode) else b""
