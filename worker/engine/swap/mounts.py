"""Which folders are mount points, here and for other processes (proc(5), mountinfo)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_OWN = Path("/proc/self")
_ESCAPE = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """`root` is the folder of the file system `device` that is seen at `point`."""

    device: bytes
    root: Path
    point: Path


def mounted_at_or_below(folder: Path) -> list[Path]:
    """Mount points at the folder (a resolved path) and inside it; bind mounts count too."""
    found = {mount.point for mount in mounts(_OWN)}
    return sorted(point for point in found if point == folder or folder in point.parents)


def mounts(process: Path) -> Iterator[Mount]:
    """Of the process with that folder below /proc. `OSError` where we may not look."""
    for line in (process / "mountinfo").read_bytes().splitlines():
        _, _, device, root, point, *_ = line.split(b" ")
        yield Mount(device, _path(root), _path(point))


def place_of(folder: Path) -> tuple[bytes, Path]:
    """Where the folder (a resolved path) lies in its file system, whoever mounts that where.

    In a chroot its root need not be a mount: then that is not to be known, and fits nothing.
    """
    above = [mount for mount in mounts(_OWN) if _is_within(folder, mount.point)]
    nearest = max(above, key=lambda mount: len(mount.point.parts), default=None)
    if nearest is None:
        return b"", folder
    return nearest.device, nearest.root / os.path.relpath(folder, nearest.point)


def _is_within(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _path(raw: bytes) -> Path:
    return Path(
        _ESCAPE.sub(lambda m: bytes([int(m[1], 8)]), raw).decode("utf-8", "surrogateescape")
    )
