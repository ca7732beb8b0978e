"""What no backup of the data folder holds, though it lies there: what the user excludes, working
folders of ours, what we may not read, and paths too long to be restored.

A restore must not take it away. So it stays with the live folder, whatever is put in its place.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from worker.engine.archive.choice import up
from worker.engine.capture.exclude import Excludes
from worker.engine.capture.source import SQLITE_MAGIC
from worker.engine.extract.limits import Limits
from worker.engine.extract.membernames import RESERVED, is_reserved
from worker.engine.swap.entry import Entries
from worker.engine.swap.site import Site
from worker.engine.swap.tree import passing, walk
from worker.engine.swap.units import is_partial, read_units

BESIDE = (b"-wal", b"-shm", b"-journal")  # what SQLite keeps beside a database
_LIMITS = Limits()


class LeftOut:
    """Says of an entry whether backups leave it out; `own` are folders of ours."""

    def __init__(self, exclude: Sequence[str], own: Iterable[Path]) -> None:
        self._exclude = Excludes(exclude)
        self._own = {(s.st_dev, s.st_ino) for path in own if (s := _stat_or_none(path))}

    def __call__(self, entries: Entries, path: bytes, info: os.stat_result) -> bool:
        folder = stat.S_ISDIR(info.st_mode)
        return (
            (info.st_dev, info.st_ino) in self._own
            or path.rpartition(b"/")[2].startswith(RESERVED)
            or self._exclude(path, folder=folder)
            or len(path) > _LIMITS.path
            or path.count(b"/") >= _LIMITS.depth
            or not entries.readable(path, info)
        )

    def stays(self, here: Entries, path: bytes) -> bool:
        """Whether `find` gives this entry, or its database's."""
        if any(self._is_left(here, above) for above in up(path)):
            return False
        bases = [base for base in bases_of(path) if may_be_database(here, base)]
        if bases and not may_be_database(here, path):
            return any(self._is_left(here, base) for base in bases)
        return self._is_left(here, path)

    def _is_left(self, here: Entries, path: bytes) -> bool:
        info = here.info(path)
        return info is not None and self(here, path, info)


def staying(site: Site, staged: Path, left_out: LeftOut) -> Iterator[bytes]:
    """What of the live folder is to stay with it when `staged` is put in its place.

    Of a swap of single entries only what lies in a folder that is replaced.
    """
    if not site.live.exists():
        return
    with closing(Entries(site.live)) as here:
        yield from find(here, left_out, _folders(here, staged, left_out))


def find(here: Entries, left_out: LeftOut, tops: Iterable[bytes] = (b"",)) -> Iterator[bytes]:
    """The highest entries that are left out below the folders `tops`.

    A database's log comes right after it: what SQLite keeps beside a database goes where that
    goes, whatever the patterns say.
    """
    for top in tops:
        for path in _below(here, left_out, top):
            if may_be_database(here, path):
                yield path
                yield from (path + end for end in BESIDE if here.info(path + end))
            elif not any(may_be_database(here, base) for base in bases_of(path)):
                yield path


def _folders(here: Entries, staged: Path, left_out: LeftOut) -> Iterator[bytes]:
    """Those replaced as a whole; one that is left out itself was asked for by its name."""
    if not is_partial(staged):
        yield b""
        return
    for unit in read_units(staged):
        info = here.info(unit.path)
        if info and stat.S_ISDIR(info.st_mode) and not left_out(here, unit.path, info):
            yield unit.path


def bases_of(path: bytes) -> Iterator[bytes]:
    """The database that a file of this name would belong to, if its name says so."""
    return (path[: -len(end)] for end in BESIDE if path.endswith(end))


def may_be_database(here: Entries, path: bytes) -> bool:
    """Whether the entry begins as one, or cannot be read: then its log is taken for one."""
    try:
        return here.begins_with(path, SQLITE_MAGIC)
    except PermissionError:
        return True


def _below(here: Entries, left_out: LeftOut, top: bytes) -> Iterator[bytes]:
    passed: set[bytes] = set()  # the folder that is not to be looked into

    def enter(path: bytes, _: os.stat_result) -> bool:
        return path not in passed

    for path, info in walk(here, top, enter=enter, refused=passing):
        left = not is_reserved(path) and left_out(here, path, info)
        if left or is_reserved(path):
            passed.clear()
            passed.add(path)
        if left:
            yield path


def size_of(here: Entries, path: bytes) -> int:
    """Bytes of a file, or of all files in a folder, as far as we may look."""
    info = here.info(path)
    if info is None or not stat.S_ISDIR(info.st_mode):
        return info.st_size if info else 0
    found = walk(here, path, refused=passing)
    return sum(one.st_size for _, one in found if stat.S_ISREG(one.st_mode))


def _stat_or_none(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
