"""Derives the key while the command is still starting, on the other core.

The key takes a third of a second and a salt that stands in the bucket, and asking there takes
modules that take as long to load. The salt is no secret, and the same from run to run, so the one
that was right last time is kept, and tried first. Where none is kept, a first backup most likely
draws a new one: that is drawn at once. If it is another one by now, nothing is lost but that time.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from threading import Thread
from typing import Final

from worker.engine.archive.keys import SALT_SIZE, KdfParams, derive, draw_params, latest_params
from worker.engine.settings import read_settings

FILE: Final = ".tarkeep-salt"
_COMMANDS: Final = frozenset(
    ("backup", "restore", "verify", "drill", "ls", "get", "find", "diff")
)  # that need the key


def begin(words: list[str]) -> None:
    """In a thread of its own that nobody has to wait for: whoever needs the key does."""
    if not _COMMANDS.intersection(words[:1]) or len(os.sched_getaffinity(0)) < 2:
        return
    plan = read_settings().plan
    salt = _kept(plan.temp_dir)
    if plan.encryption_key and (salt or words[0] == "backup"):
        params = KdfParams(salt) if salt else draw_params()
        Thread(target=derive, args=(plan.encryption_key, params), daemon=True).start()


def keep(temp_dir: Path) -> None:
    """What the key that was derived last was derived with, for the next command."""
    params = latest_params()
    if params is None or params != KdfParams(params.salt) or _kept(temp_dir) == params.salt:
        return
    draft = temp_dir / f"{FILE}-{os.getpid()}"
    with contextlib.suppress(OSError):
        draft.write_bytes(params.salt)
        draft.replace(temp_dir / FILE)


def _kept(temp_dir: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        salt = (temp_dir / FILE).read_bytes()
        return salt if len(salt) == SALT_SIZE else None
    return None
