"""The note on disk that says which swap was under way when a process died.

Written whole and synced before the step it announces, removed when the swap is over. It names
only entries of the folder it lies in, so a forged one can move nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

_VERSION = 1
_LONGEST = 16 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC

OUT, IN = "out", "in"


@dataclass(frozen=True)
class Note:
    """`staged` and `safety` are names beside the journal; `staged_inode` tells new from old.

    `phase` and `split` matter for mode `entries`: OUT while old entries move away, IN while
    new ones move in; `split` once a folder had to be moved piece by piece.
    """

    mode: str
    staged: str
    safety: str
    staged_inode: int
    phase: str = OUT
    split: bool = False


def write(path: Path, note: Note) -> None:
    """Replace the journal, durably."""
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, _WRITE, 0o600)
    try:
        os.write(descriptor, json.dumps({"version": _VERSION, **asdict(note)}).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.rename(path)
    sync_folder(path.parent)


def read(path: Path) -> Note | None:
    """The journal's note; None when there is no journal. `ValueError` when it is not ours."""
    try:
        descriptor = os.open(path, _READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return _parsed(json.loads(os.read(descriptor, _LONGEST)))
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the folder's own entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parsed(value: object) -> Note:
    if not isinstance(value, dict) or value.pop("version", None) != _VERSION:
        raise ValueError("not a restore journal of this version")
    try:
        note = Note(**value)
    except TypeError:
        raise ValueError("not a restore journal") from None
    kinds = {"staged_inode": int, "split": bool}
    if any(not isinstance(v, kinds.get(k, str)) for k, v in asdict(note).items()):
        raise ValueError("not a restore journal")
    return note
