"""The swap of single entries: each changes places with the one it replaces, by itself at once.

The journal names the folder that they come from and the safety copy; `units.py` has their list.
From its turning point on a swap that was broken off is finished; only an error of the disk
turns it back. Each step looks what is there first, so that it may be done again.

A database never meets what SQLite kept beside another one: `-wal`, `-shm` and `-journal` go into
the safety copy before the database is replaced, and come back with it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from worker.engine.capture.source import SQLITE_MAGIC
from worker.engine.crashpoints import crashpoint
from worker.engine.errors import TargetError
from worker.engine.extract.syscalls import sync_file_system
from worker.engine.swap import journal
from worker.engine.swap.discard import discard
from worker.engine.swap.entry import Entries, move
from worker.engine.swap.journal import IN, OUT, Note
from worker.engine.swap.sides import Sides, logs, opened
from worker.engine.swap.site import OWN
from worker.engine.swap.taking_back import take_back
from worker.engine.swap.tree import walk
from worker.engine.swap.units import LIST, Unit, read_units, write_units

PARTS = "parts"
_OWNER_ALL = 0o700
_LIVE_MODE = 0o755  # of a data folder that was not there


@dataclass
class PartSwap:
    """`journal_path` and `note` of a swap whose folders lie in `workplace`."""

    live: Path
    workplace: Path
    journal_path: Path
    note: Note

    def run(self) -> None:
        """From a journal at OUT to the end."""
        self._prepare()
        self._turn(IN)
        crashpoint("parts.turned")
        try:
            self.finish()
        except OSError:
            self._turn(OUT)
            crashpoint("parts.turned-back")
            raise

    def finish(self) -> None:
        """From a journal at IN to the end: all that is listed is in place."""
        if (self._staged / LIST).exists():
            with opened(self._staged, self.live, self._safety) as sides:
                for unit in self._units():
                    _put(sides, unit)
                    crashpoint("parts.placed")
                sync_file_system(sides.here.root)
            crashpoint("parts.all-in")
            (self._staged / LIST).rename(self._safety / LIST)
            self._sync()
            crashpoint("parts.listed")
        self._clear_staged()

    def undo(self) -> None:
        """From a journal at OUT back to where it began."""
        # It had not turned yet, so nothing was moved; or all is back, and the copy gone already.
        if not self.note.split or not self._safety.exists():
            _remove_empty(self._safety)
            return
        with opened(self._staged, self.live, self._safety) as sides:
            for unit in self._units():
                take_back(sides, unit)
                crashpoint("parts.taken-back")
            sync_file_system(sides.here.root)
        _remove_empty(self._safety)
        self._sync()

    @property
    def _staged(self) -> Path:
        return self.workplace / self.note.staged

    @property
    def _safety(self) -> Path:
        return self.workplace / self.note.safety

    def _prepare(self) -> None:
        """Look at both sides, and write down which entry is which."""
        self.live.mkdir(mode=_LIVE_MODE, exist_ok=True)
        self._safety.mkdir(mode=_OWNER_ALL)
        with opened(self._staged, self.live, self._safety) as sides:
            write_units(self._staged, _looked_at(sides, read_units(self._staged)))
        journal.sync_folder(self.workplace)
        crashpoint("parts.prepared")

    def _units(self) -> Iterator[Unit]:
        if self._staged.stat().st_ino != self.note.staged_inode:
            raise TargetError(
                f"Old and new entries of the data folder cannot be told apart in {self._staged}",
                hint=f"An interrupted restore replaced those that {self._staged / LIST} names."
                " Compare them by hand, then remove the folder and the journal.",
            )
        return read_units(self._staged)

    def _clear_staged(self) -> None:
        """Nothing but empty folders is left in it, and what an earlier swap had put aside."""
        if not self._staged.exists():
            return
        for name in os.listdir(self._staged):  # noqa: PTH208  (names, not paths)
            if name.startswith(OWN):
                free = (self._safety / f"{name}{n or ''}" for n in count())
                kept = next(path for path in free if not os.path.lexists(path))
                (self._staged / name).rename(kept)
        _remove_empty(self._staged)

    def _turn(self, phase: str) -> None:
        note = replace(self.note, phase=phase, split=True)
        journal.write(self.journal_path, note)
        self.note = note

    def _sync(self) -> None:
        for folder in (self._staged, self._safety, self.workplace):
            if folder.exists():
                journal.sync_folder(folder)


def _looked_at(sides: Sides, units: Iterator[Unit]) -> Iterator[Unit]:
    """Each listed entry as it is now, and what belongs to it besides."""
    beside: set[bytes] = set()
    for unit in units:
        if unit.path not in beside:
            yield (looked := _look(sides, unit.path))
            found = [path for path in logs(looked) if sides.new.info(path)]
            beside.update(found)
            yield from (_look(sides, path) for path in found)


def _look(sides: Sides, path: bytes) -> Unit:
    database = any(side.begins_with(path, SQLITE_MAGIC) for side in (sides.new, sides.here))
    return Unit(path, sides.new.inode(path), database)


def _put(sides: Sides, unit: Unit) -> None:
    """The new entry in place, the old one in the safety copy; done before is done."""
    path, found = unit.path, sides.new.inode(unit.path)
    if not unit.inode:
        if sides.here.info(path) and not sides.old.info(path):
            sides.sweep(unit)
            sides.file(sides.here, path)
        return
    if found == unit.inode:
        sides.sweep(unit)
        _place(sides, path)
        crashpoint("parts.exchanged")
    if sides.new.info(path):
        sides.file(sides.new, path)


def _place(sides: Sides, path: bytes) -> None:
    if sides.here.info(path) is None:
        sides.here.make_parent(path, like=sides.new)
    elif sides.exchanged(sides.new, path):
        return
    else:
        sides.file(sides.here, path)
        crashpoint("parts.away")
    move(sides.new, path, sides.here)


def _remove_empty(folder: Path) -> None:
    """Remove a folder that holds nothing but empty ones; whatever else there is stays."""
    if folder.exists() and not _holds_anything(folder):
        discard(folder)


def _holds_anything(folder: Path) -> bool:
    with closing(Entries(folder)) as entries:
        return any(not stat.S_ISDIR(info.st_mode) for _, info in walk(entries))
