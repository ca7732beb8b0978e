"""The folders that restores have replaced: which there are, and which may go.

A safety copy is kept for some days, and until a backup made after it has succeeded, whichever is
later. One that somebody works in or has written to, or that holds what no backup holds, is never
removed by itself. Only names that are exactly ours are looked at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from worker.engine.crashpoints import crashpoint
from worker.engine.errors import TargetError
from worker.engine.extract.target_errors import as_target_error
from worker.engine.swap import about
from worker.engine.swap.about import About
from worker.engine.swap.discard import discard
from worker.engine.swap.journal import sync_folder
from worker.engine.swap.lock import held
from worker.engine.swap.meanwhile import look_into, users
from worker.engine.swap.site import Site, sites_of
from worker.engine.swap.units import is_partial

_SECOND = 1_000_000_000


@dataclass(frozen=True)
class SafetyCopy:
    """One kept folder; `time` is when it was replaced, `number` tells two of an instant apart.

    `failed`: it was restored, and swapped back since the application was not well on it.
    """

    path: Path
    site: Site
    time: datetime
    number: int
    failed: bool

    @property
    def about(self) -> About | None:
        """What was written down of it, None where nothing was."""
        return about.read(self.site.about(self.path.name))

    @property
    def partial(self) -> bool:
        """Whether it holds single entries and not a whole data folder."""
        return is_partial(self.path)


@dataclass(frozen=True)
class Kept:
    """A copy whose time is over, and why it stays."""

    path: Path
    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class Expired:
    removed: list[Path] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


def safety_copies(data_dir: Path) -> list[SafetyCopy]:
    """What the live folder was before each restore and undo, newest first."""
    return [copy for copy in all_copies(data_dir) if not copy.failed]


def find_copy(data_dir: Path, name: str) -> SafetyCopy:
    """The copy of that name, whatever it is kept for. `TargetError` (NO_SAFETY_COPY)."""
    for copy in all_copies(data_dir):
        if copy.path.name == name:
            return copy
    raise TargetError(
        f"There is no safety copy {name!r}",
        hint="`tarkeep copies` shows which there are.",
        code="NO_SAFETY_COPY",
    )


def expire(
    data_dir: Path,
    *,
    now: datetime,
    days: int,
    last_backup: datetime,
    pulse: Callable[[], None] = lambda: None,
) -> Expired:
    """Remove copies older than `days` that the last successful backup was begun after.

    Call it only with the time of a backup that succeeded. Raises `TargetError`: TARGET_BUSY
    while a restore runs.
    """
    age, done = timedelta(days=days), Expired()
    old = [c for c in all_copies(data_dir) if c.time < last_backup and now - c.time >= age]
    for copy in old:
        if why := _reason_to_stay(copy, pulse):
            done.kept.append(why)
        else:
            remove(copy, pulse)
            done.removed.append(copy.path)
    return done


def remove(copy: SafetyCopy, pulse: Callable[[], None] = lambda: None) -> None:
    """Renamed first: half a safety copy must not look like one. A dead run's rest is a leftover.

    Raises `TargetError`: TARGET_BUSY while a restore runs.
    """
    with as_target_error("removing a safety copy"), held(copy.site.lock):
        doomed = copy.site.new_stage()
        copy.path.rename(doomed)
        sync_folder(copy.site.workplace)
        crashpoint("copies.renamed")
        discard(doomed, pulse)
        copy.site.about(copy.path.name).unlink(missing_ok=True)


def _reason_to_stay(copy: SafetyCopy, pulse: Callable[[], None]) -> Kept | None:
    known = copy.about
    if known and known.unsaved:
        return _unsaved(copy, known)
    since = known.replaced_ns if known else int(copy.time.timestamp()) * _SECOND
    with as_target_error("looking at an old safety copy"):
        written = look_into(copy.path, since, pulse).written
        user = next(users(copy.path), None)
    if user:
        return _in_use(copy, f"process {user[0]} works in it")
    return _in_use(copy, f"{written[0]} was written there since") if written else None


def _unsaved(copy: SafetyCopy, known: About) -> Kept:
    return Kept(
        copy.path,
        "NOT_IN_BACKUP",
        f"The safety copy {copy.path.name} holds {known.unsaved} entries ({known.unsaved_bytes}"
        " bytes) that no backup holds",
        f"Take from {copy.path} what you need; then: tarkeep copies --remove {copy.path.name}",
    )


def _in_use(copy: SafetyCopy, why: str) -> Kept:
    return Kept(
        copy.path,
        "SAFETY_COPY_IN_USE",
        f"The safety copy {copy.path.name} is still in use: {why}",
        "Restart what works in the folder from before the restore, a container above all; take"
        f" from {copy.path} what is new there; then: tarkeep copies --remove {copy.path.name}",
    )


def all_copies(data_dir: Path) -> list[SafetyCopy]:
    """Those that failed too, newest first."""
    found = [copy for site in sites_of(data_dir) for copy in _copies_at(site)]
    return sorted(found, key=lambda copy: (copy.time, copy.number), reverse=True)


def _copies_at(site: Site) -> Iterator[SafetyCopy]:
    try:
        names = os.listdir(site.workplace)  # noqa: PTH208  (names, not paths)
    except OSError:
        return
    for name in names:
        path = site.workplace / name
        made, failed = site.copy_time(name), site.failed_time(name)
        if (when := made or failed) and path.is_dir() and not path.is_symlink():
            yield SafetyCopy(path, site, *when, failed=made is None)
