"""What a restore would do to the data folder, told before anything is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.engine.archive.choice import Choice
from worker.engine.archive.read_index import open_or_read_index
from worker.engine.catalogue import BackupInfo
from worker.engine.compare import Effect, compare
from worker.engine.config import PlanConfig
from worker.engine.extract.target_errors import as_target_error
from worker.engine.progress import Progress
from worker.engine.storage import Storage
from worker.engine.swap.left_out import LeftOut

NOTE = "Compared by kind, size and time of files; content was not compared."


@dataclass(frozen=True)
class RestorePreview:
    """`effects` on every entry that is met, in path order, to be taken while the block lasts.

    `read_through`: there was no index, so the archive had to be read, which takes as long as
    fetching it for a restore.
    """

    key: str
    read_through: bool
    effects: Iterator[Effect]


@contextmanager
def preview_restore(
    plan: PlanConfig,
    storage: Storage,
    progress: Progress,
    *,
    backup: BackupInfo,
    words: Sequence[str] = (),
    entries: Sequence[bytes] = (),
    target: Path | None = None,
) -> Iterator[RestorePreview]:
    """Compare the backup, or what `words` and `entries` choose of it, with the data folder.

    Or with `target`. Raises `ArchiveError`, `StorageError`, `TargetError`, the latter two from
    `effects` too.
    """
    choice = Choice(words, entries) if words or entries else None
    with (
        as_target_error("looking at the data folder"),
        open_or_read_index(storage, plan, backup, progress) as (index, read_through),
    ):
        left_out = None if target else LeftOut(plan.exclude, own=(plan.temp_dir,))
        effects = compare(index, (target or plan.data_dir).resolve(), choice, left_out)
        yield RestorePreview(backup.key, read_through, effects)
