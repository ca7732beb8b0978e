"""SQLite's word on the databases of a backup: the whole of `PRAGMA integrity_check`.

A database that was whole when it was saved and is not any more is damage. One that had been
damaged in the data folder already, or was saved as a plain file, is only warned of: the backup
gives it back as it was.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from worker.engine.capture.source import SQLITE_MAGIC
from worker.engine.errors import ArchiveError
from worker.engine.extract.refusals import shown
from worker.engine.integrity import NotChecked, integrity
from worker.engine.progress import Progress, SourceWarning

CAPTURED = "SQLITE_OK"  # the index's note on a database that was whole when it was saved
_MARGIN = 64 * 1024 * 1024  # bytes left free for whoever else writes there


class Databases:
    """Checks one database at a time. `was_whole(path)`: it was so when it was saved."""

    def __init__(
        self, folder: Path, progress: Progress, was_whole: Callable[[bytes], bool]
    ) -> None:
        self._folder, self._progress, self._was_whole = folder, progress, was_whole
        self.checked = self.unchecked = 0
        self._damaged: list[tuple[bytes, str]] = []

    def spool(
        self, path: bytes, size: int, head: bytes | memoryview, *, holes: bool
    ) -> Spool | None:
        """Where to copy the file whose content begins with `head`, or None if it is not to be
        checked: no database, or one that there is no room for."""
        if bytes(head[: len(SQLITE_MAGIC)]) != SQLITE_MAGIC:
            return None
        disk = os.statvfs(self._folder)
        if holes or size + _MARGIN > disk.f_bavail * disk.f_frsize:
            self.not_checked(path, "it has holes" if holes else "there is no room for a copy")
            return None
        return Spool(self, path, self._folder / "database")

    def check(self, path: bytes, file: Path) -> None:
        """Ask SQLite about `file`, which holds the database at `path` of the backup."""
        try:
            problem = integrity(file, self._progress)
        except NotChecked as reason:
            self.not_checked(path, str(reason))
            return
        self.checked += 1
        if problem and self._was_whole(path):
            self._damaged.append((path, problem))
        elif problem:
            self._warn("DATABASE_DAMAGED", path, f"damaged when it was saved already: {problem}")

    def demand(self) -> None:
        """Raise `ArchiveError` (DATABASE_DAMAGED) if one is damaged that was whole."""
        if not self._damaged:
            return
        path, problem = self._damaged[0]
        raise ArchiveError(
            f"SQLite finds {len(self._damaged)} of the backup's databases damaged, first"
            f" {shown(path)}: {problem}",
            code="DATABASE_DAMAGED",
            hint="Look at the same database in the data folder, it may be damaged there too;"
            " restore it from an older backup.",
        )

    def not_checked(self, path: bytes, why: str) -> None:
        """Count and warn of one that SQLite was not asked about."""
        self.unchecked += 1
        self._warn("DATABASE_NOT_CHECKED", path, f"SQLite was not asked about it: {why}")

    def _warn(self, code: str, path: bytes, message: str) -> None:
        self._progress.warn(SourceWarning(code, shown(path), message))


class Spool:
    """A copy under way. A disk that is full after all costs the check, nothing else."""

    def __init__(self, owner: Databases, path: bytes, file: Path) -> None:
        self._owner, self._path, self._file = owner, path, file
        self._out = file.open("wb")
        self._full = False

    def write(self, piece: bytes | memoryview) -> None:
        try:
            if not self._full:
                self._out.write(piece)
        except OSError as error:
            self._overflow(error)

    def finish(self) -> None:
        """All of it was written: check it, and remove it."""
        try:
            self._out.close()
        except OSError as error:
            self._overflow(error)
        if self._full:
            self._owner.not_checked(self._path, "the temporary folder is full")
        else:
            self._owner.check(self._path, self._file)
        self._file.unlink()

    def _overflow(self, error: OSError) -> None:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        self._full = True
        os.truncate(self._file, 0)
