"""The entries that a swap of single entries exchanges: a list that lies in the folder they come
from, `.tarkeep-parts`, and that a safety copy keeps, so that an undo knows what is to go back.

A listed entry that lies in the folder is to be put in place; one that does not is to be taken
away. The list is read and written line by line: it may be long.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from worker.engine.errors import ArchiveError, TargetError
from worker.engine.extract.limits import Limits
from worker.engine.extract.membernames import check_relative, is_reserved
from worker.engine.swap.journal import sync_folder

LIST = ".tarkeep-parts"
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LIMITS = Limits()


@dataclass(frozen=True)
class Unit:
    """One entry, `path` below the data folder.

    `inode` tells the one to be put in place from the one it replaces, 0 where there is none to
    put. `database`: what SQLite keeps beside it must not meet another database.
    """

    path: bytes
    inode: int = 0
    database: bool = False


def write_units(folder: Path, units: Iterable[Unit]) -> None:
    """Replace the folder's list, durably. Its time is long ago: nobody wrote it meanwhile."""
    draft = folder / f"{LIST}.new"
    descriptor = os.open(draft, _WRITE, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        for unit in units:
            file.write(json.dumps({**asdict(unit), "path": os.fsdecode(unit.path)}) + "\n")
        file.flush()
        os.utime(descriptor, (0, 0))
        os.fsync(descriptor)
    draft.rename(folder / LIST)
    sync_folder(folder)  # a journal that has turned must never meet the list from before


def read_units(folder: Path) -> Iterator[Unit]:
    """The folder's list. `TargetError` when it is not ours, `FileNotFoundError` without one."""
    with os.fdopen(os.open(folder / LIST, _READ), encoding="ascii") as file:
        try:
            yield from (_unit(json.loads(line)) for line in file)
        except (ValueError, ArchiveError):
            raise TargetError(
                f"The list {folder / LIST} cannot be understood",
                hint="Look at the folder that it lies in, and put its entries right by hand.",
            ) from None


def is_partial(folder: Path) -> bool:
    """Whether the folder holds single entries and not a whole data folder."""
    return os.path.lexists(folder / LIST)


def _unit(value: object) -> Unit:
    if not isinstance(value, dict) or value.keys() != {"path", "inode", "database"}:
        raise ValueError("not a list of entries")
    path, inode, database = value["path"], value["inode"], value["database"]
    if not (isinstance(path, str) and isinstance(inode, int) and isinstance(database, bool)):
        raise ValueError("not a list of entries")
    raw = os.fsencode(path)
    check_relative(raw, _LIMITS)
    if is_reserved(raw):
        raise ValueError("not a list of entries")
    return Unit(raw, inode, database)
