"""A folder of one run below the temporary folder, removed when the run is over."""

from __future__ import annotations

import errno
import shutil
import sqlite3
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
        raise _unusable(temp_dir, str(error.strerror)) from error
    try:
        yield folder
    except sqlite3.OperationalError as error:  # the index: nothing else is left unhandled
        raise _unusable(temp_dir, str(error)) from error
    except OSError as error:
        if error.errno != errno.ENOSPC:  # a run writes nowhere else
            raise
        raise _unusable(temp_dir, str(error.strerror)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unusable(temp_dir: Path, why: str) -> TargetError:
    return TargetError(
        f"The temporary folder {temp_dir} cannot be used: {why}.",
        hint="Set BACKUP_TEMP_DIR to a folder with room that the worker may write to.",
    )
