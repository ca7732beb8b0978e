"""Remove a folder of ours with everything in it, whatever modes an archive gave to it.

By descriptors, one folder open at a time: what was restored may lie deeper than a path can say,
and deeper than one may open folders.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDLE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE = 0o700


def _nobody() -> None:
    """No watchdog looks."""


def discard(folder: Path, pulse: Callable[[], None] = _nobody) -> None:
    """Remove the tree, links not followed; an absent one is success. `pulse` is called for each
    entry: a million of them take their time."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise NotADirectoryError(f"{folder} is not a folder")
        above = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _remove(os.fsencode(folder.name), above, pulse)
        finally:
            os.close(above)


def _remove(top: bytes, above: int, pulse: Callable[[], None]) -> None:
    """Down into each folder, and up again by its `..`: nobody else moves what is ours."""
    here = _entered(top, above)
    way = [
        (top, _emptied(here, pulse))
    ]  # each folder that we are in, with those in it still to remove
    try:
        while way:
            name, waiting = way[-1]
            if waiting:
                here = _turned(here, _entered(waiting[-1], here))
                way.append((waiting.pop(), _emptied(here, pulse)))
                continue
            way.pop()
            here = _turned(here, os.open("..", _FOLDER, dir_fd=here) if way else os.dup(above))
            os.rmdir(name, dir_fd=here)
    finally:
        os.close(here)


def _turned(here: int, there: int) -> int:
    os.close(here)
    return there


def _entered(name: bytes, parent: int) -> int:
    """A descriptor of the folder, which we may then empty; root may without being asked."""
    if os.geteuid() == 0:
        return os.open(name, _FOLDER, dir_fd=parent)
    handle = os.open(name, _HANDLE, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{handle}", _PRIVATE)  # noqa: PTH101  (a descriptor)
        return os.open(".", _FOLDER, dir_fd=handle)
    finally:
        os.close(handle)


def _emptied(folder: int, pulse: Callable[[], None]) -> list[bytes]:
    """Unlink all but the folders in it, which are returned."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        pulse()
        if not is_folder:
            os.unlink(name, dir_fd=folder)
    return [os.fsencode(name) for name, is_folder in found if is_folder]
