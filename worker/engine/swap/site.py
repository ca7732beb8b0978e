"""Where a restore works: the live folder, how it can be replaced, our names beside it."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from worker.engine.errors import TargetError
from worker.engine.swap.mounts import mounted_at_or_below

NEW, EXCHANGE, RENAME, ENTRIES = "new", "exchange", "rename", "entries"
OWN = ".tarkeep-"
_STAGE = f"{OWN}stage-"
_COPY = "before-restore-"
_ID_DIGITS = 8


@dataclass(frozen=True)
class Site:
    """`live` is resolved; `workplace` holds staging, journal, lock and safety copy.

    `mode` is how the swap is to be tried first: NEW (no folder yet: a rename), EXCHANGE (one
    atomic exchange of two folders), ENTRIES (the folder itself cannot be moved: each of its
    entries is, by journal; not atomic for whoever looks meanwhile).
    """

    live: Path
    mode: str
    workplace: Path

    @property
    def journal(self) -> Path:
        return self.workplace / f"{OWN}restore-{self.live.name}.json"

    @property
    def lock(self) -> Path:
        return self.workplace / f"{OWN}{self.live.name}.lock"

    def new_stage(self) -> Path:
        """A name for a staging folder, never used before."""
        return self.workplace / f"{_STAGE}{secrets.token_hex(_ID_DIGITS // 2)}-{self.live.name}"

    def safety_copy(self, now: datetime) -> Path:
        """A free name for what is replaced: `data.before-restore-TIME`, hidden inside a volume."""
        stamp = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._free(self._copy_prefix + stamp.replace(":", "-").replace(".", "-"))

    def stray(self) -> Path:
        """A free name for a folder that somebody made in the live one's place meanwhile."""
        return self._free(f"{OWN}written-meanwhile-{self.live.name}")

    def leftovers(self) -> list[Path]:
        """Staging folders of this live folder that a dead run left behind."""
        return [path for path in self.workplace.glob(f"{_STAGE}*") if self.is_stage(path.name)]

    def is_stage(self, name: str) -> bool:
        return name.startswith(_STAGE) and name[len(_STAGE) + _ID_DIGITS :] == f"-{self.live.name}"

    def is_safety_copy(self, name: str) -> bool:
        return name.startswith(self._copy_prefix) and "/" not in name

    def _free(self, name: str) -> Path:
        tries = (name if n == 1 else f"{name}-{n}" for n in count(1))
        return next(p for p in map(self.workplace.joinpath, tries) if not os.path.lexists(p))

    @property
    def _copy_prefix(self) -> str:
        return OWN + _COPY if self.workplace == self.live else f"{self.live.name}.{_COPY}"


def look(data_dir: Path) -> Site:
    """See how the folder can be replaced. Raises `TargetError` where it cannot.

    A symlink is followed: what it points to is replaced, the link stays.
    """
    live = data_dir.resolve()
    if not live.exists():
        live.parent.mkdir(parents=True, exist_ok=True)
        return Site(live, NEW, _writable(live.parent))
    if not live.is_dir():
        raise TargetError(f"{data_dir} is not a folder", hint="Move it away, then restore again.")
    mounts = mounted_at_or_below(live)
    _refuse_inner_mounts(live, mounts)
    if live in mounts or not os.access(live.parent, os.W_OK | os.X_OK):
        return Site(live, ENTRIES, _writable(live))
    return Site(live, EXCHANGE, live.parent)


def sites_of(data_dir: Path) -> list[Site]:
    """Where a run that died may have left its journal: beside the folder, or inside it."""
    live = data_dir.resolve()
    return [Site(live, EXCHANGE, live.parent), Site(live, ENTRIES, live)]


def _writable(folder: Path) -> Path:
    if os.access(folder, os.W_OK | os.X_OK):
        return folder
    raise TargetError(
        f"The folder {folder} cannot be written to",
        hint="Let the user that runs the worker write there, then restore again.",
    )


def _refuse_inner_mounts(live: Path, mounts: list[Path]) -> None:
    inner = [point for point in mounts if point != live]
    if inner:
        raise TargetError(
            f"Another file system is mounted inside the data folder, at {inner[0]}",
            hint="It would move away with the old folder. Unmount it, then restore again.",
            code="TARGET_BUSY",
        )
