"""What `make run` lends to commands that are typed beside it: the servers that it has started.

It writes their variables into `var/lent.json`, and takes the file away when it ends. Without it
whoever follows README would be told that no bucket is configured, with backups being made.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from worker.engine.environment import Environment
from worker.engine.settings import EMBEDDED_S3, REDIS_URL
from worker.engine.storage.variables import ACCESS_KEY, BUCKET, ENDPOINT, SECRET_KEY

FILE: Final = Path("var", "lent.json")
_BUCKET: Final = (BUCKET, ENDPOINT, ACCESS_KEY, SECRET_KEY)


def take(base_dir: Path) -> None:
    """Into this process's environment: the bucket where nothing is said about one, and Redis
    where there is none. What somebody has set is left alone."""
    lent = _lent(base_dir / FILE)
    given = Environment.of_process(base_dir)
    if not any(given.is_set(variable) for variable in _BUCKET):
        names = [variable.name for variable in (*_BUCKET, EMBEDDED_S3)]
        os.environ.update({name: lent[name] for name in names if name in lent})
    if not given.is_set(REDIS_URL) and REDIS_URL.name in lent:
        os.environ[REDIS_URL.name] = lent[REDIS_URL.name]


def _lent(file: Path) -> dict[str, str]:
    try:
        return {str(name): str(value) for name, value in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}
