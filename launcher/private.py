"""Files only the owner may read: generated passwords and keys."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def private_directory(path: Path) -> Path:
    """Make the directory (mode 0700) and give back its absolute path."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.resolve()


def write_private(path: Path, text: str) -> None:
    """Replace the file as a whole; it is 0600 from its first byte on."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_state(path: Path) -> dict[str, Any]:
    """The JSON object written by `write_state`, or an empty one when there is none."""
    if not path.exists():
        return {}
    state: dict[str, Any] = json.loads(path.read_text())
    return state


def write_state(path: Path, state: dict[str, Any]) -> None:
    write_private(path, json.dumps(state, indent=2) + "\n")
