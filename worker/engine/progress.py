"""How a run tells the outside what it does, and how the outside tells it to stop.

The engine is handed one `Progress` and calls it; nothing is ever called back up otherwise.
Methods may be called from several threads and must return at once: whoever implements one
keeps slow work (database, network, screen) on its own side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.engine.errors import SourceError

# Warnings that mean that the backup holds less, or other, than the file did.
TROUBLE = frozenset(
    {
        "FILE_VANISHED", "FILE_UNREADABLE", "FILE_REPLACED", "FILE_READ_ERROR", "FILE_SHRANK",
        "FILE_CHANGED", "FOLDER_UNREADABLE", "PATH_TOO_LONG", "SQLITE_COPIED_AS_FILE",
        "SQLITE_DAMAGED", "XATTR_UNREADABLE",
    }
)  # fmt: skip

# And those that a person should hear of, though all is in the backup.
WORRYING = TROUBLE | frozenset(
    {
        "INSTANCES_NOT_STOPPED", "INSTANCES_NOT_STARTED", "INSTANCES_UNHEALTHY",
        "INSTANCES_CAME_BACK", "HOOK_FAILED", "SPOOL_NO_ROOM", "OTHER_FILE_SYSTEM",
    }
)  # fmt: skip


@dataclass(frozen=True)
class SourceWarning:
    """Something that did not stop the run but that the user should know.

    `code` is stable (FILE_VANISHED, FILE_CHANGED, ...), `path` is relative to the data folder.
    """

    code: str
    path: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "path": self.path, "message": self.message}


class Progress:
    """Does nothing: the base to derive from, and what tests pass when they do not care."""

    def phase(self, name: str) -> None:
        """A new phase has begun; the one before has ended."""

    def totals(self, *, files: int, bytes: int) -> None:
        """What the phase will go through, as far as known."""

    def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
        """So much more is done: source files and bytes, and bytes sent over the network."""

    def pulse(self) -> None:
        """Work goes on, though there is nothing to count: the watchdog of stalls may be calm."""

    def warn(self, warning: SourceWarning) -> None:
        """Record a warning."""

    def record(self, effect: str, **details: Any) -> None:
        """Write down a side effect before it happens (an upload begun, a swap), durably.

        Whoever cleans up after a dead run reads these. Raises what the store raises: a side
        effect that could not be written down must not happen.
        """

    def checkpoint(self) -> None:
        """Called between segments. Raises `JobStopped` when the run is to stop."""

    def commit(self, step: str) -> None:
        """Called right before a step that cannot be undone (publish, swap, prune).

        Raises `JobStopped` when the run was cancelled or no longer holds its lease; after it
        returned, the run can no longer be cancelled.
        """


@dataclass
class Unseen(Progress):
    """Passes on signs of life and the wish to stop, and shows nothing else."""

    inner: Progress

    def totals(self, *, files: int, bytes: int) -> None:
        self.inner.pulse()

    def pulse(self) -> None:
        self.inner.pulse()

    def checkpoint(self) -> None:
        self.inner.checkpoint()


@dataclass
class Counting(Progress):
    """Counts warnings on their way to the real progress, and passes everything on.

    With `strict`, a warning that means missing or doubtful content is raised as `SourceError`.
    """

    inner: Progress
    strict: bool = False
    count: int = 0

    def warn(self, warning: SourceWarning) -> None:
        self.count += 1
        self.inner.warn(warning)
        if self.strict and warning.code in TROUBLE:
            raise SourceError(
                f"{warning.path}: {warning.message}.",
                code="SOURCE_TROUBLE",
                hint="Mend it, leave it out by BACKUP_EXCLUDE, or set BACKUP_ON_FILE_TROUBLE=warn.",
            )

    def phase(self, name: str) -> None:
        self.inner.phase(name)

    def totals(self, *, files: int, bytes: int) -> None:
        self.inner.totals(files=files, bytes=bytes)

    def advance(self, *, files: int = 0, bytes: int = 0, sent: int = 0) -> None:
        self.inner.advance(files=files, bytes=bytes, sent=sent)

    def pulse(self) -> None:
        self.inner.pulse()

    def record(self, effect: str, **details: Any) -> None:
        self.inner.record(effect, **details)

    def checkpoint(self) -> None:
        self.inner.checkpoint()

    def commit(self, step: str) -> None:
        self.inner.commit(step)
