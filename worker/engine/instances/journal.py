"""What a run without a database has stopped: in a file beside its work, until it is started.

A run from the command line holds its file locked while it lives, so one that can be locked
belongs to the dead. Whoever comes next, a worker or another run, starts what it names.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from worker.engine.errors import TargetError
from worker.engine.instances.config import InstanceConfig
from worker.engine.instances.drivers import open_drivers
from worker.engine.instances.recorded import Effect, restarts, still_stopped
from worker.engine.instances.stopping import STOPPED_EFFECT
from worker.engine.swap.journal import sync_folder

PREFIX: Final = ".tarkeep-stopped-"


class Journal:
    """Effects of one run, one a line. There is no file before the first stop."""

    def __init__(self, temp_dir: Path) -> None:
        self._temp_dir = temp_dir
        self._file: IO[str] | None = None

    def record(self, effect: str, **details: Any) -> None:
        """Durable when this returns. Raises `TargetError`."""
        try:
            if self._file is None and effect == STOPPED_EFFECT:
                self._file = _create(self._temp_dir)
            if self._file is not None:
                _append(self._file, {"effect": effect, **details})
        except OSError as error:
            raise TargetError(
                f"What is to be stopped cannot be written down: {error.strerror}",
                hint="Set BACKUP_TEMP_DIR to a folder with room that you may write to.",
            ) from error

    def close(self) -> None:
        """Forget it, unless something is stopped still."""
        if self._file is None:
            return
        path = Path(self._file.name)
        if not still_stopped(_read(path)):
            path.unlink()
        self._file.close()


def bring_up(temp_dir: Path, config: InstanceConfig) -> None:
    """Start what dead runs have left stopped; what does not start stays written down."""
    for path in sorted(temp_dir.glob(f"{PREFIX}*")):
        with suppress(FileNotFoundError), path.open("r+", encoding="utf-8") as file:
            file.seek(0, os.SEEK_END)
            if _lock(file) and path.exists():
                _bring_up(path, file, config)


def _bring_up(path: Path, file: IO[str], config: InstanceConfig) -> None:
    drivers, effects = open_drivers(config), _read(path)
    for restart in restarts(effects, drivers, timeout=config.policy.start_timeout):
        effects = restart.noted(effects)
        _append(file, effects[-1])
    if not still_stopped(effects):
        path.unlink()


def _create(folder: Path) -> IO[str]:
    """A new file, locked. One that a passer-by took for abandoned before that is not used."""
    while True:
        handle, name = tempfile.mkstemp(prefix=PREFIX, dir=folder)
        os.close(handle)
        file = Path(name).open("a", encoding="utf-8")  # noqa: SIM115  (held as long as the run)
        if _lock(file) and Path(name).exists():
            sync_folder(folder)  # what it says is durable only if its name is
            return file
        file.close()


def _lock(file: IO[str]) -> bool:
    """False where its run lives, or somebody else is at it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _append(file: IO[str], effect: Effect) -> None:
    print(json.dumps(effect), file=file, flush=True)
    os.fsync(file.fileno())


def _read(path: Path) -> list[Effect]:
    """Whole lines only: the last one may have been cut off by the death of its writer."""
    lines = path.read_text("utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
