"""The key that signs sessions: given, or made once and kept in a file only we can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from backup_project.private import private_folder


def secret_key(given: str, file: Path) -> str:
    """`given` when there is one, else the key in `file`, which is made where it is missing."""
    if given:
        return given
    if not file.exists():
        _create(file)
    return file.read_text("ascii").strip()


def _create(file: Path) -> None:
    """Several processes may start at once: whoever links first wins, and no one reads half."""
    private_folder(file.parent)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(secrets.token_urlsafe(64))
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
