"""A folder of one run below the temporary folder, removed when the run is over."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.engine.errors import TargetError

PREFIX = ".tarkeep-run-"


@contextmanager
def workspace(temp_dir: Path) -> Iterator[Path]:
    """Yields the run's folder (0700). Raises `TargetError` when it cannot be made."""
    try:
        temp_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temp_dir))
    except OSError as error:
        raise TargetError(
            f"The temporary folder {temp_dir} cannot be used: {error.strerror}.",
            hint="Set BACKUP_TEMP_DIR to a folder that the worker may write to.",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
