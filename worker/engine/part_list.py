"""From what was fetched of a backup to the list of entries that are to be exchanged."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from worker.engine.archive.choice import Choice, base_of
from worker.engine.capture.source import SQLITE_MAGIC
from worker.engine.errors import TargetError
from worker.engine.extract.membernames import is_reserved
from worker.engine.extract.refusals import shown
from worker.engine.extract.target_errors import as_target_error
from worker.engine.swap.entry import Entries
from worker.engine.swap.units import Unit, write_units


def list_parts(staged: Path, live: Path, choice: Choice) -> None:
    """Write the list into `staged`: each chosen entry, or the highest folder above it that the
    live folder lacks.

    Raises `TargetError` (TARGET_BLOCKED) where a file or link lies in the way.
    """
    with as_target_error("looking at what is to be replaced"), ExitStack() as opened:
        new = opened.enter_context(closing(Entries(staged)))
        here = opened.enter_context(closing(Entries(live))) if live.exists() else None
        _drop_lonely_companions(new, choice)
        write_units(staged, map(Unit, _parts(new, here, choice)))


def _parts(new: Entries, here: Entries | None, choice: Choice) -> Iterator[bytes]:
    """Paths in the order of their names, so that a database comes before its companions."""
    waiting = [_in(new, b"")]
    while waiting:
        path = next(waiting[-1], None)
        if path is None:
            waiting.pop()
        elif _is_part(new, here, choice, path):
            yield path
        else:
            waiting.append(_in(new, path))


def _is_part(new: Entries, here: Entries | None, choice: Choice, path: bytes) -> bool:
    folder = _is_folder(new, path)
    return not folder or choice(path, folder=True) or here is None or _is_missing(here, path)


def _in(entries: Entries, folder: bytes) -> Iterator[bytes]:
    prefix = folder + b"/" if folder else b""
    paths = (prefix + name for name in entries.names(folder))
    return (path for path in paths if not is_reserved(path))


def _is_folder(entries: Entries, path: bytes) -> bool:
    found = entries.info(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def _is_missing(here: Entries, path: bytes) -> bool:
    """Whether the live folder has no folder there. TARGET_BLOCKED where it has something else."""
    if here.info(path) is None:
        return True
    if not _is_folder(here, path):
        raise TargetError(
            f"{shown(path)} is a folder in the backup, and something else now",
            hint=f"Restore {shown(path)} as a whole, or restore into another folder (--to).",
            code="TARGET_BLOCKED",
        )
    return False


def _drop_lonely_companions(new: Entries, choice: Choice) -> None:
    """Files fetched for the case that they belong to a database: unless they do."""
    waiting = [_in(new, b"")]
    while waiting:
        path = next(waiting[-1], None)
        if path is None:
            waiting.pop()
        elif _is_folder(new, path):
            if not choice(path, folder=True):  # all in a chosen one is chosen itself
                waiting.append(_in(new, path))
        elif _is_lonely(new, choice, path):
            new.remove(path)


def _is_lonely(new: Entries, choice: Choice, path: bytes) -> bool:
    base = base_of(path)
    if base is None or choice(path, folder=False):
        return False
    return not new.begins_with(base, SQLITE_MAGIC)
