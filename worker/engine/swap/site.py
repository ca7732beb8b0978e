"""Where a restore works: the live folder, how it can be replaced, our names beside it."""

from __future__ import annotations

import os
import re
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
_ABOUT = f"{OWN}about-"
_COPY = "before-restore-"
_FAILED = "failed-restore-"
_ID_DIGITS = 8
_STAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{3})Z(?:-([0-9]+))?"
)


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

    @property
    def carried(self) -> Path:
        """The list of what goes over into the folder that is put in place."""
        return self.workplace / f"{OWN}carry-{self.live.name}"

    def about(self, copy: str) -> Path:
        """What is known of the safety copy of that name."""
        return self.workplace / f"{_ABOUT}{copy.removeprefix(OWN)}.json"

    def orphans(self) -> list[Path]:
        """Drafts of journals, and what is said of copies that are not there any more."""
        drafts = (self.journal.with_name(f"{self.journal.name}.new"), self.carried)
        told = [path for path in self.workplace.glob(f"{_ABOUT}*") if self._is_orphan(path.name)]
        return [*(path for path in drafts if os.path.lexists(path)), *told]

    def new_stage(self) -> Path:
        """A name for a staging folder, never used before."""
        return self.workplace / f"{_STAGE}{secrets.token_hex(_ID_DIGITS // 2)}-{self.live.name}"

    def safety_copy(self, now: datetime) -> Path:
        """A free name for what is replaced: `data.before-restore-TIME`, hidden inside a volume."""
        return self._free(self._prefix(_COPY) + _stamp(now))

    def failed_copy(self, now: datetime) -> Path:
        """A free name for a restored folder that the application was not well on."""
        return self._free(self._prefix(_FAILED) + _stamp(now))

    def copy_time(self, name: str) -> tuple[datetime, int] | None:
        """When the safety copy of that name was made, and which of that instant it is."""
        return _parsed(name, self._prefix(_COPY))

    def failed_time(self, name: str) -> tuple[datetime, int] | None:
        """The same for a folder that was swapped back."""
        return _parsed(name, self._prefix(_FAILED))

    def stray(self) -> Path:
        """A free name for a folder that somebody made in the live one's place meanwhile."""
        return self._free(f"{OWN}written-meanwhile-{self.live.name}")

    def leftovers(self) -> list[Path]:
        """Staging folders of this live folder that a dead run left behind."""
        return [path for path in self.workplace.glob(f"{_STAGE}*") if self.is_stage(path.name)]

    def is_stage(self, name: str) -> bool:
        return name.startswith(_STAGE) and name[len(_STAGE) + _ID_DIGITS :] == f"-{self.live.name}"

    def is_copy(self, name: str) -> bool:
        """Whether it is the name of a safety copy or of a folder that was swapped back."""
        return name.startswith((self._prefix(_COPY), self._prefix(_FAILED))) and "/" not in name

    def _is_orphan(self, name: str) -> bool:
        """Whether it is about a copy of this folder that is gone; a draft of it always is."""
        about = name.removeprefix(_ABOUT).removesuffix(".new").removesuffix(".json")
        copy = OWN + about if self.workplace == self.live else about
        ours = self.copy_time(copy) or self.failed_time(copy)
        return bool(ours) and (name.endswith(".new") or not (self.workplace / copy).exists())

    def _free(self, name: str) -> Path:
        tries = (name if n == 1 else f"{name}-{n}" for n in count(1))
        return next(p for p in map(self.workplace.joinpath, tries) if not os.path.lexists(p))

    def _prefix(self, kind: str) -> str:
        return OWN + kind if self.workplace == self.live else f"{self.live.name}.{kind}"


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


def _stamp(now: datetime) -> str:
    """`2025-08-29T05-00-00-000Z`."""
    stamp = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return stamp.replace(":", "-").replace(".", "-")


def _parsed(name: str, prefix: str) -> tuple[datetime, int] | None:
    found = _STAMP.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None
    if not found:
        return None
    try:
        time = datetime.strptime(found[1] + "000", "%Y-%m-%dT%H-%M-%S-%f").replace(tzinfo=UTC)
    except ValueError:
        return None
    return time, int(found[2] or 1)


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
