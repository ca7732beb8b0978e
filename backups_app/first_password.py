"""The first administrator's password in a file for its owner alone, until somebody has used it.

What is printed once scrolls away, and logs of containers are kept for long: so it is here too.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from django.conf import settings

log = logging.getLogger(__name__)


def file() -> Path:
    return Path(settings.VAR_DIR) / "first-password"


def keep(name: str, password: str) -> None:
    """Write it down, in place of what an earlier one left."""
    path, text = file(), json.dumps({"username": name, "password": password})
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(f"{text}\n")
    except OSError as error:  # it is printed all the same
        log.warning("The first password is in no file: %s", error.strerror)


def forget(name: str) -> None:
    """That account has signed in, or has another password: the file is no longer wanted."""
    with suppress(OSError, ValueError):
        if json.loads(file().read_text())["username"] == name:
            file().unlink()
