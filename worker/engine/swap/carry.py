"""Bring what no backup holds from the folder that was replaced into the one in its place.

The list of it is written before the swap's journal and removed before it is: whoever finishes a
swap that was broken off goes on here, and an entry that was moved already is not moved again.
What the new folder holds itself stays there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from worker.engine.crashpoints import crashpoint
from worker.engine.errors import ArchiveError
from worker.engine.extract.limits import Limits
from worker.engine.extract.membernames import check_relative
from worker.engine.extract.syscalls import sync_file_system
from worker.engine.swap import about
from worker.engine.swap.about import About
from worker.engine.swap.entry import Entries, move, move_over
from worker.engine.swap.left_out import BESIDE, bases_of, may_be_database, size_of

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LINE = 1 << 20
_ANY = Limits(path=_LINE, depth=_LINE)


def write_list(path: Path, entries: Iterable[bytes]) -> None:
    """Durable once the folder is synced, which the journal's writing does."""
    descriptor = os.open(path, _WRITE, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(entry + b"\0" for entry in entries)
        file.flush()
        os.fsync(descriptor)


def carry(listed: Path, old: Path, new: Path, told: Path) -> None:
    """Move what is listed from `old` to `new`; what cannot be moved is noted in `told`.

    Raises `OSError` only where the disk cannot be synced.
    """
    if not listed.exists():
        return
    if old.exists():
        with ExitStack() as opened:
            source = opened.enter_context(closing(Entries(old)))
            target = opened.enter_context(closing(Entries(new)))
            left = list(_carried(_read(listed), source, target))
            sync_file_system(target.root)
        if left:
            _tell(told, len(left), sum(left))
    crashpoint("carry.over")
    listed.unlink()


def _carried(paths: Iterator[bytes], old: Entries, new: Entries) -> Iterator[int]:
    """The bytes of each entry that stays behind although nothing is in its place."""
    main = b""
    for path in paths:
        logged = main in bases_of(path)
        main = main if logged else path
        try:
            if old.info(path) is not None and not (logged and old.info(main)):
                _bring(path, old, new, logged=logged)
        except OSError:
            yield _size(old, path)
        crashpoint("carry.moved")


def _bring(path: bytes, old: Entries, new: Entries, *, logged: bool) -> None:
    """Not where the backup holds something itself, and no log to the database of another."""
    there = new.info(path)
    if there is not None:
        _lay_over(path, old, new, there)
    elif logged or not any(may_be_database(new, base) for base in bases_of(path)):
        _clear_logs(path, old, new)
        with new.times_kept(path):
            new.make_parent(path, like=old)
            move(old, path, new)


def _lay_over(path: bytes, old: Entries, new: Entries, there: os.stat_result) -> None:
    """A folder that could not be looked into is in the backup, but empty."""
    here = old.info(path)
    if here is None or not (stat.S_ISDIR(here.st_mode) and stat.S_ISDIR(there.st_mode)):
        return
    try:
        move_over(old, path, new)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


def _clear_logs(path: bytes, old: Entries, new: Entries) -> None:
    """Logs out of a backup that does not hold their database must not meet this one."""
    for log in (path + end for end in BESIDE if may_be_database(old, path)):
        if new.info(log) is not None:
            new.remove(log)


def _size(old: Entries, path: bytes) -> int:
    with contextlib.suppress(OSError):
        return size_of(old, path)
    return 0


def _tell(told: Path, entries: int, size: int) -> None:
    known = about.read(told) or About(0)
    about.write(told, replace(known, unsaved=entries, unsaved_bytes=size))


def _read(listed: Path) -> Iterator[bytes]:
    """Entries of the list; one that is no plain path is passed over."""
    rest = b""
    with os.fdopen(os.open(listed, _READ), "rb") as file:
        while piece := file.read(_LINE):
            *whole, rest = (rest + piece).split(b"\0")
            for path in whole:
                with contextlib.suppress(ArchiveError):
                    check_relative(path, _ANY)
                    yield path
