"""Which folders are mount points (proc(5), /proc/self/mountinfo)."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTINFO = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_MOUNT_POINT = 4  # the fifth field


def mounted_at_or_below(folder: Path) -> list[Path]:
    """Mount points at the folder (a resolved path) and inside it; bind mounts count too."""
    found = {_point(line) for line in _MOUNTINFO.read_bytes().splitlines()}
    return sorted(point for point in found if point == folder or folder in point.parents)


def _point(line: bytes) -> Path:
    raw = line.split(b" ")[_MOUNT_POINT]
    return Path(
        _ESCAPE.sub(lambda m: bytes([int(m[1], 8)]), raw).decode("utf-8", "surrogateescape")
    )
