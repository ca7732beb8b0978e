"""What is known of a safety copy, in a small file beside it.

When it was replaced tells later whether somebody has written to it since. What it holds that no
backup holds must not be removed with it.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from worker.engine.swap.journal import sync_folder

_LONGEST = 16 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class About:
    """`replaced_ns`: when, by the clock that stamps files there. `files` and `bytes` of the whole
    copy, -1 until somebody counted; `unsaved` entries, and their bytes, are in no backup."""

    replaced_ns: int
    files: int = -1
    bytes: int = -1
    unsaved: int = 0
    unsaved_bytes: int = 0


def write(path: Path, about: About) -> None:
    """Replace it, durably: what it says of unsaved entries must last when the journal is gone."""
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, _WRITE, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(asdict(about), file)
        file.flush()
        os.fsync(descriptor)
    draft.rename(path)
    sync_folder(path.parent)


def read(path: Path) -> About | None:
    """None where there is none, or where it is not ours."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        with os.fdopen(os.open(path, _READ), "rb") as file:
            about = About(**json.loads(file.read(_LONGEST)))
        if all(type(value) is int for value in asdict(about).values()):
            return about
    return None
