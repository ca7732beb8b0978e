"""State that only its owner may read, however the service is started and whatever the umask.

Names of files and accounts are in the logs and in the database, and hashes of passwords too.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

OTHERS: Final = 0o007


def private_folder(path: Path) -> Path:
    """Make the folder for its owner alone; one that all may enter is closed to others."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _close(path, 0o700)
    return path


def private_file(path: Path) -> Path:
    """Make the file, empty, for its owner alone; one that all may read is closed to others.

    A group that was let in on purpose (0640) stays.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    _close(path, 0o600)
    return path


def _close(path: Path, mode: int) -> None:
    """Not ours, or on a file system without modes: whoever mounted it has decided."""
    with suppress(PermissionError):
        if path.stat().st_mode & OTHERS:
            path.chmod(mode)
