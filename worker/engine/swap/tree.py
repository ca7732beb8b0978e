"""All entries below a folder, found by descriptors: paths may be longer than the kernel takes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from worker.engine.swap.entry import Entries

Found = tuple[bytes, os.stat_result]
Enter = Callable[[bytes, os.stat_result], bool]
Refused = Callable[[bytes, OSError], None]


def raising(_path: bytes, error: OSError) -> None:
    raise error


def passing(_path: bytes, _error: OSError) -> None:
    """For whoever only counts."""


def walk(
    entries: Entries,
    top: bytes = b"",
    *,
    enter: Enter = lambda _path, _info: True,
    refused: Refused = raising,
) -> Iterator[Found]:
    """What lies below the folder `top`, in path order; links are not followed.

    A folder is looked into after it was given out, if `enter` says so; `refused` hears of one
    that cannot be. Holds the names of one folder of each level, however many there are.
    """
    waiting = [_inside(entries, top, refused)]
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            continue
        yield found
        path, info = found
        if stat.S_ISDIR(info.st_mode) and enter(path, info):
            waiting.append(_inside(entries, path, refused))


def _inside(entries: Entries, folder: bytes, refused: Refused) -> Iterator[Found]:
    prefix = folder + b"/" if folder else b""
    try:
        names = entries.names(folder)
    except OSError as error:
        refused(folder, error)
        return
    for path in (prefix + name for name in names):
        info = entries.info(path)
        if info is not None:
            yield path, info
