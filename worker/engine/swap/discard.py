"""Remove a folder of ours with everything in it, whatever modes an archive gave to it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_PRIVATE = 0o700


def discard(folder: Path) -> None:
    """Remove the tree, links not followed; an absent one is success."""
    if not os.path.lexists(folder):
        return
    if os.geteuid() != 0:  # root needs no rights on a folder to empty it
        _take_rights(folder)
    shutil.rmtree(folder)


def _take_rights(folder: Path) -> None:
    folder.chmod(_PRIVATE)
    for parent, names, _ in os.walk(folder):
        for name in names:
            inner = Path(parent, name)
            if not inner.is_symlink():
                inner.chmod(_PRIVATE)
