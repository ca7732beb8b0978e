"""Which machine this is: a random name that all processes with the same temporary folder share.

The names of hosts do not do: those of containers are made up anew with each of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = ".tarkeep-machine"
_NAME: Final = re.compile(r"[0-9a-f]{32}")


@cache
def machine_name(temp_dir: Path) -> str:
    """32 hex digits, made by the first who asks; remembered, so that a process never changes.

    Where nothing can be written it is the host's name: no job could run there anyway.
    """
    file = temp_dir / FILE
    try:
        temp_dir.mkdir(parents=True, exist_ok=True)
        return _read(file) or _make(file)
    except (OSError, ValueError):
        return socket.gethostname()[:32]


def _read(file: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        name = file.read_text()[:33].strip()
        return name if _NAME.fullmatch(name) else ""
    return ""


def _make(file: Path) -> str:
    """Whole or not at all, and the same for all: the parts of a service begin at once, and two
    that went by different names would each wait for the other to be gone."""
    draft = file.with_name(f"{FILE}-{secrets.token_hex(8)}")
    draft.write_text(secrets.token_hex(16) + "\n")
    try:
        with contextlib.suppress(OSError):  # it is there, or the file system has no links
            os.link(draft, file)
        with _alone(file.parent):
            if not _read(file):  # what is there is no name
                draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return _read(file)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One after another, where the file system has locks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
